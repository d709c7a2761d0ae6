//! What the commands print: every line passes through here, with its control characters escaped.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;

use crate::text::printable;

/// A line on stdout; a reader that has gone away is no error.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{}", printable(&line.to_string()));
}

/// A line on stderr: what went wrong and did not end the work.
pub fn warn(line: impl Display) {
    tell(format_args!("warning: {line}"));
}

/// A line on stderr: what ended the work.
pub fn fail(line: impl Display) {
    tell(format_args!("error: {line}"));
}

/// A line on stderr.
pub fn tell(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", printable(&line.to_string()));
}

/// How the user started this program, to name a next command that can be pasted.
pub fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(|| "latent-cycles".to_owned(), |name| shell(Path::new(&name)))
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A path as a shell takes it.
pub fn shell(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if printable(text) == text => format!("'{}'", text.replace('\'', r"'\''")),
        // What cannot be shown as it is can be written byte for byte in this kind of quotes.
        _ => format!("$'{}'", bytes.iter().map(|&byte| escaped(byte)).collect::<String>()),
    }
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/._-+,=@:".contains(character)
}

/// A byte within `$'...'`.
fn escaped(byte: u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}
