//! A page as a tree of elements: enough of HTML to find figures, tables and marks by what they say and where they stand.

use std::collections::BTreeMap;

use base64::Engine;

/// An element with what is in it.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    attributes: BTreeMap<String, String>,
    content: Vec<Node>,
}

#[derive(Debug)]
enum Node {
    Text(String),
    Element(Element),
}

/// Elements of HTML that hold nothing and are not closed.
const VOID: [&str; 4] = ["img", "input", "meta", "link"];

/// The body of a page.
pub fn body(page: &str) -> Element {
    let from = page.find("<body>").expect("a body") + "<body>".len();
    let to = page.find("</body>").expect("the body's end");
    let mut open = vec![element("body")];
    let mut rest = &page[from..to];
    while let Some(start) = rest.find('<') {
        text_into(open.last_mut().unwrap(), &rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag that ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().unwrap();
            assert_eq!(closed.name, name, "closed in order");
            open.last_mut().unwrap().content.push(Node::Element(closed));
            continue;
        }
        let new = tagged(tag.trim_end_matches('/'));
        if tag.ends_with('/') || VOID.contains(&new.name.as_str()) {
            open.last_mut().unwrap().content.push(Node::Element(new));
        } else {
            open.push(new);
        }
    }
    assert_eq!(open.len(), 1, "all elements are closed");
    open.remove(0)
}

fn element(name: &str) -> Element {
    Element {
        name: name.to_owned(),
        attributes: BTreeMap::new(),
        content: Vec::new(),
    }
}

fn text_into(element: &mut Element, text: &str) {
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&"), ("\u{a0}", " ")];
    let text = plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    if !text.trim().is_empty() {
        element.content.push(Node::Text(text));
    }
}

/// An element with the attributes of its tag.
fn tagged(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut new = element(name);
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a value in quotes");
        // Words without a value, as in `checked`, stand before a key.
        let key = key.split_whitespace().last().expect("a key");
        new.attributes.insert(key.to_owned(), value.to_owned());
        rest = after;
    }
    new
}

impl Element {
    /// All elements of a name inside this one, in order.
    pub fn all(&self, name: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        self.each(&mut |element| {
            if element.name == name {
                found.push(element);
            }
        });
        found
    }

    /// All elements of a class inside this one, in order.
    pub fn of_class(&self, class: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        self.each(&mut |element| {
            if element.is(class) {
                found.push(element);
            }
        });
        found
    }

    /// The element inside this one with an id.
    pub fn by_id(&self, id: &str) -> &Element {
        let mut found = None;
        self.each(&mut |element| {
            if element.attributes.get("id").is_some_and(|own| own == id) {
                found = Some(element);
            }
        });
        found.unwrap_or_else(|| panic!("nothing has the id {id}"))
    }

    fn each<'a>(&'a self, see: &mut impl FnMut(&'a Element)) {
        for node in &self.content {
            if let Node::Element(element) = node {
                see(element);
                element.each(see);
            }
        }
    }

    /// The elements directly inside this one.
    pub fn children(&self) -> Vec<&Element> {
        let elements = self.content.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        });
        elements.collect()
    }

    /// Has it a class?
    pub fn is(&self, class: &str) -> bool {
        let classes = self.attributes.get("class");
        classes.is_some_and(|classes| classes.split_whitespace().any(|own| own == class))
    }

    /// An attribute that must be there.
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes
            .get(key)
            .unwrap_or_else(|| panic!("{} has no {key}: {:?}", self.name, self.attributes))
    }

    /// Has it an attribute?
    pub fn has(&self, key: &str) -> bool {
        self.attributes.contains_key(key)
    }

    /// An attribute as a number.
    pub fn number(&self, key: &str) -> f64 {
        number(self.attribute(key))
    }

    /// All text inside, children's too.
    pub fn text(&self) -> String {
        let parts = self.content.iter().map(|node| match node {
            Node::Text(text) => text.trim().to_owned(),
            Node::Element(element) => element.text(),
        });
        parts.collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    /// The text directly inside, without that of children.
    pub fn own_text(&self) -> String {
        let parts = self.content.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.trim()),
            Node::Element(_) => None,
        });
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// A number, or a panic that shows what is none. The minus sign may be a typographer's.
pub fn number(text: &str) -> f64 {
    let text = text.trim().replace('−', "-");
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

/// The state of a name: A to Z, then AA, AB and so on.
pub fn state(name: &str) -> usize {
    assert!(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase()),
        "{name:?} names no state"
    );
    name.chars().fold(0, |number, c| 26 * number + (c as usize - 'A' as usize) + 1) - 1
}

/// All numbers in a text, signs included.
pub fn numbers(text: &str) -> Vec<f64> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    words.filter_map(|word| word.trim_end_matches('.').parse().ok()).collect()
}

/// The picture in an address.
pub fn picture(uri: &str) -> image::DynamicImage {
    let coded = uri.strip_prefix("data:image/png;base64,").expect("a PNG picture");
    let bytes = base64::engine::general_purpose::STANDARD.decode(coded).unwrap();
    image::load_from_memory(&bytes).unwrap()
}

/// Is a number what it should be?
pub fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} instead of {expected}");
}

/// A number as it is written, against what it stands for: right to its last digit, but for what parameters in f32 leave open.
pub fn rounded(text: &str, expected: f64, what: &str) {
    let text = text.trim().replace('−', "-");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len()) as i32;
    let half_digit = 0.5001 * 10.0_f64.powi(exponent.parse::<i32>().unwrap() - decimals);
    close(number(&text), expected, half_digit + 1e-5 * expected.abs(), what);
}
