//! The names of latent states on a page: letters, since numbers look like the digits that the states draw.

/// A to Z, then AA, AB and so on.
pub fn letters(state: usize) -> String {
    let last = char::from(b'A' + (state % 26) as u8);
    match state / 26 {
        0 => last.to_string(),
        more => letters(more - 1) + &last.to_string(),
    }
}

/// A name `i to j` of two numbers as letters; any other as it is.
pub fn of_current(name: &str) -> String {
    let numbers = name.split_once(" to ").and_then(|(i, j)| Some((i.parse().ok()?, j.parse().ok()?)));
    numbers.map_or_else(|| name.to_owned(), |(i, j)| format!("{} to {}", letters(i), letters(j)))
}
