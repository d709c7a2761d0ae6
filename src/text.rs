//! Text from outside, fit to be shown: control characters escaped, long values shortened.

/// The text on one line, with control characters escaped, and those that reverse the direction of writing: a terminal obeys them.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(character.escape_unicode()),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

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
