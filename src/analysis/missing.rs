//! What figures say that cannot be had for want of data.

use crate::estimate::jackknife::Figure;
use crate::evaluation::Reference;

pub(super) fn no_data() -> Figure {
    Figure::missing("there are no data: the record was analyzed without its run, or imported without them")
}

pub(super) fn no_test() -> Figure {
    Figure::missing("the data have no test images")
}

pub(super) fn no_classes(data: Option<&Reference>) -> Figure {
    match data {
        Some(_) => Figure::missing("the training images have no labels of two classes or more"),
        None => no_data(),
    }
}
