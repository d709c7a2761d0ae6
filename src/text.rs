//! Text from outside, fit to be shown.

/// A value as an error repeats it: of a long one the beginning and the end.
pub(crate) fn shortened(text: &str) -> String {
    shortened_to(100, text)
}

/// At most so many characters of a text, with an ellipsis for those that are left out of its middle.
pub(crate) fn shortened_to(most: usize, text: &str) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end = most / 3;
    let beginning = text.chars().take(most - end - 1);
    beginning.chain(['…']).chain(text.chars().skip(length - end)).collect()
}
