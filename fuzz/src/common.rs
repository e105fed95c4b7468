//! Valid files that the tests of the library use too.

#[path = "../../tests/common/fasttext.rs"]
#[allow(dead_code, reason = "only some parts are needed here")]
pub(crate) mod fasttext;
#[path = "../../tests/common/pack.rs"]
#[allow(dead_code, reason = "only some parts are needed here")]
pub(crate) mod pack;
