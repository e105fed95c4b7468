//! Records of a run: a file of JSON lines, event files for TensorBoard, and an HTML page.

pub mod log;
pub mod page;
pub mod tensorboard;
