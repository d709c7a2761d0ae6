//! MessagePack as a file holds it, with no trust in the lengths that it claims.

use rmp::Marker;
use rmp::decode::{self, NumValueReadError};

/// How deep values may lie in one another: twice as deep as in any record.
const DEEPEST: usize = 12;
/// The most values of a list, and fields of a map: twice as many as in any record.
const LONGEST: u32 = 12;

/// A value; texts and bytes are those of the file.
#[derive(Debug)]
pub enum Value<'a> {
    Nothing,
    Whole(u64),
    Fraction(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Map(Vec<(&'a str, Value<'a>)>),
    /// What no record has, in words.
    Other(&'static str),
}

impl<'a> Value<'a> {
    /// The one value that a file consists of; the error says in words what is wrong, and at which byte.
    pub fn parse(content: &'a [u8]) -> Result<Self, String> {
        let mut rest = content;
        let value = Self::read(&mut rest, DEEPEST);
        let place = content.len() - rest.len();
        match value {
            Err(problem) => Err(format!("near its byte {place}, it {problem}")),
            Ok(_) if !rest.is_empty() => Err(format!("it goes on after its end at byte {place}")),
            Ok(value) => Ok(value),
        }
    }

    fn read(rest: &mut &'a [u8], depth: usize) -> Result<Self, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("has values in one another more than {DEEPEST} deep"));
        };
        // The marker is looked at here and read again with the number or the length that follows.
        let mut ahead = *rest;
        let marker = decode::read_marker(&mut ahead).map_err(|_| broken_off())?;
        Ok(match marker {
            Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
                Self::Whole(decode::read_int(rest).map_err(broken)?)
            }
            Marker::FixNeg(_) | Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => match decode::read_int(rest) {
                Ok(number) => Self::Whole(number),
                Err(NumValueReadError::OutOfRange) => Self::Other("a negative number"),
                Err(_) => return Err(broken_off()),
            },
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = decode::read_str_len(rest).map_err(broken)?;
                let text = std::str::from_utf8(take(rest, length)?);
                Self::Text(text.map_err(|_| "has a text that is not UTF-8".to_owned())?)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = decode::read_bin_len(rest).map_err(broken)?;
                Self::Bytes(take(rest, length)?)
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let length = at_most(LONGEST, "a list", decode::read_array_len(rest).map_err(broken)?)?;
                Self::List((0..length).map(|_| Self::read(rest, depth)).collect::<Result<_, _>>()?)
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let length = at_most(LONGEST, "a map", decode::read_map_len(rest).map_err(broken)?)?;
                Self::Map((0..length).map(|_| Self::read_field(rest, depth)).collect::<Result<_, _>>()?)
            }
            Marker::F64 => Self::Fraction(decode::read_f64(rest).map_err(broken)?),
            other => {
                *rest = ahead;
                match other {
                    Marker::Null => Self::Nothing,
                    Marker::True | Marker::False => Self::Other("a truth value"),
                    Marker::F32 => take(rest, 4).map(|_| Self::Other("a fraction"))?,
                    _ => return Err("has a value of a kind that no record has".to_owned()),
                }
            }
        })
    }

    fn read_field(rest: &mut &'a [u8], depth: usize) -> Result<(&'a str, Self), String> {
        match Self::read(rest, depth)? {
            Self::Text(name) => Ok((name, Self::read(rest, depth)?)),
            other => Err(format!("has a field whose name is {}", other.describe())),
        }
    }

    /// What it is, for a message of one line.
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing => "empty".to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Fraction(_) => "a fraction".to_owned(),
            Self::Text(text) => quoted(text),
            Self::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Self::List(values) => format!("[{}]", values.iter().map(Self::describe).collect::<Vec<_>>().join(", ")),
            Self::Map(_) => "a map".to_owned(),
            Self::Other(words) => (*words).to_owned(),
        }
    }
}

/// A text of a file for a message: in quotes, its control characters escaped, and not endless.
pub fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let start: String = text.chars().take(SHOWN).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{more}")
}

fn at_most(most: u32, what: &str, length: u32) -> Result<u32, String> {
    if length <= most {
        return Ok(length);
    }
    Err(format!("has {what} of {length} entries, and none in a record has more than {most}"))
}

/// The next bytes.
fn take<'a>(rest: &mut &'a [u8], length: u32) -> Result<&'a [u8], String> {
    let (taken, after) = rest.split_at_checked(length as usize).ok_or_else(broken_off)?;
    *rest = after;
    Ok(taken)
}

/// What goes wrong with a number or a length whose kind is known.
fn broken<E>(_: E) -> String {
    broken_off()
}

fn broken_off() -> String {
    "breaks off in the middle of a value".to_owned()
}
