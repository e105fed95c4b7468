//! A run written down: as a record, for TensorBoard, and as a page.

pub mod log;
pub mod page;
pub mod tensorboard;
