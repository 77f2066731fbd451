//! The YAML of a pipeline file as a tree that remembers where everything stood.
//!
//! The parser's own typed reading stops at the first mistake and forgets places behind aliases; a tree of some hundred
//! nodes lets the stages behind it report all mistakes, each with line, column and path. Nodes live in one vector and
//! are named by number, which is small enough to ride through serde.
//!
//! Invariant: a node's parent stands before it, so paths end.

use std::path::Path;

use serde_saphyr::{
    Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter,
    options::DuplicateKeyPolicy,
};

use super::{
    problem::{Place, Problem},
    secret::looks_secret,
    variables::{self, BadVariable, Resolve},
};

mod mask;
mod tree;
pub(super) use mask::mask_lines;
use tree::Tree;

/// The longest pipeline file, in bytes. A thousand times the usual one; it bounds what a stranger can make us parse.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Nodes after aliases are expanded: the bound against alias bombs.
const NODES_MAX: usize = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(pub(super) u32);

pub(super) struct Document {
    nodes: Vec<Node>,
    /// By node, ascending.
    bad_variables: Vec<(NodeId, BadVariable)>,
}

pub(super) struct Node {
    parent: Option<(NodeId, Step)>,
    place: Place,
    pub(super) content: Content,
}

pub(super) enum Content {
    Null,
    Scalar(Scalar),
    List(Vec<NodeId>),
    /// In the order of the file; the parser refuses a key that comes twice.
    Map(Vec<(String, NodeId)>),
}

pub(super) struct Scalar {
    pub(super) text: String,
    /// As written, where a variable was put in.
    raw: Option<String>,
    /// Where the text stands: behind an alias, the anchor.
    defined: Place,
}

impl Scalar {
    /// The text with its variables as they were written.
    pub(super) fn written(&self) -> String {
        self.raw.clone().unwrap_or_else(|| self.text.replace("${", "$${"))
    }
}

enum Step {
    Key { name: String, place: Place },
    Index(usize),
}

impl Document {
    pub(super) const ROOT: NodeId = NodeId(0);

    pub(super) fn content(&self, id: NodeId) -> &Content {
        &self.node(id).content
    }

    /// Variables that could not be put in.
    pub(super) fn bad_variables(&self) -> impl Iterator<Item = Problem> {
        self.bad_variables.iter().map(|(id, bad)| self.problem(*id, bad.message.clone(), bad.help.clone()))
    }

    /// Whether a variable in the value of this node could not be put in: what stands there is not the whole of it.
    pub(super) fn is_incomplete(&self, id: NodeId) -> bool {
        self.bad_variables.binary_search_by_key(&id, |(bad, _)| *bad).is_ok()
    }

    /// Whether the value of this node came from a variable.
    pub(super) fn is_from_variable(&self, id: NodeId) -> bool {
        matches!(self.content(id), Content::Scalar(Scalar { raw: Some(_), .. }))
    }

    /// Whether the value of this node came from variables, and there is nothing in it.
    pub(super) fn is_empty_variable(&self, id: NodeId) -> bool {
        let is_empty = matches!(self.content(id), Content::Scalar(scalar) if scalar.text.is_empty());
        is_empty && self.is_from_variable(id) && !self.is_incomplete(id)
    }

    /// A problem with the value of a node.
    pub(super) fn problem(&self, id: NodeId, message: impl Into<String>, help: Option<String>) -> Problem {
        Problem::new(self.path(id), self.node(id).place, message, help)
    }

    /// A problem with the key of a node, or with its value if it stands in a list.
    pub(super) fn key_problem(&self, id: NodeId, message: impl Into<String>, help: Option<String>) -> Problem {
        let place = match &self.node(id).parent {
            Some((_, Step::Key { place, .. })) => *place,
            _ => self.node(id).place,
        };
        Problem::new(self.path(id), place, message, help)
    }

    /// What stands at a node, for a message: a variable or a secret is named, not shown.
    pub(super) fn shown(&self, id: NodeId) -> String {
        match self.content(id) {
            Content::Null => "nothing".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a section".to_owned(),
            Content::Scalar(Scalar { raw: None, text, .. }) if text.is_empty() => "an empty text".to_owned(),
            Content::Scalar(_) if self.is_secret(id) => "a value that is not shown".to_owned(),
            Content::Scalar(Scalar { raw: Some(raw), .. }) => format!("what `{raw}` holds"),
            Content::Scalar(Scalar { text, .. }) => {
                let credentials = mask::credentials(text);
                format!("`{}`", shorten(&mask::mask_ranges(text, credentials)))
            }
        }
    }

    /// Whether a text may be quoted in a message.
    pub(super) fn may_show(&self, id: NodeId) -> bool {
        !self.is_from_variable(id) && !self.is_secret(id)
    }

    /// Keys from the top.
    pub(super) fn path(&self, id: NodeId) -> String {
        let Some((parent, step)) = &self.node(id).parent else { return String::new() };
        let path = self.path(*parent);
        match step {
            Step::Index(index) => format!("{path}[{index}]"),
            Step::Key { name, .. } if name.contains(['.', ' ', '[']) => format!("{path}[\"{name}\"]"),
            Step::Key { name, .. } if path.is_empty() => name.clone(),
            Step::Key { name, .. } => format!("{path}.{name}"),
        }
    }

    /// Whether the node stands under a key that names a secret, at any depth. Where a single `url` is asked for, it may
    /// hold a password.
    fn is_secret(&self, id: NodeId) -> bool {
        match &self.node(id).parent {
            None => false,
            Some((_, Step::Key { name, .. })) if looks_secret(name) || name == "url" => true,
            Some((parent, _)) => self.is_secret(*parent),
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

/// Parses the text and puts in the variables. Variables that cannot be had are kept for later, with the rest of what
/// is wrong with values.
///
/// # Errors
///
/// The first mistake of the YAML itself: behind it nothing can be trusted.
pub(super) fn parse(text: &str, base: &Path, vars: &dyn Resolve) -> Result<Document, Problem> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {TEXT_BYTES_MAX}", text.len());
        return Err(Problem::new(String::new(), Place { line: 1, column: 1, ..Place::default() }, message, None));
    }
    let tree: Spanned<Tree> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| syntax_problem(&error, text))?;
    let mut builder = Builder { text, base, vars, nodes: Vec::new(), bad_variables: Vec::new() };
    builder.add(None, tree);
    Ok(Document { nodes: builder.nodes, bad_variables: builder.bad_variables })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_documents: 2, max_nodes: NODES_MAX, max_depth: 32 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        // A text such as `1e999` is the module's to understand.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
    }
}

fn syntax_problem(error: &serde_saphyr::Error, text: &str) -> Problem {
    let mut place = error.location().map_or(Place { line: 1, column: 1, ..Place::default() }, place);
    let before = usize::try_from(place.line).unwrap_or(1).saturating_sub(1);
    let line = text.split_inclusive('\n').nth(before).unwrap_or_default();
    // Of these errors the parser knows the characters only.
    let columns = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    place.offset = text.split_inclusive('\n').take(before).map(str::len).sum::<usize>()
        + line.chars().take(columns).map(char::len_utf8).sum::<usize>();
    // The one mistake that even people who know YAML make here.
    let help = (line.contains("${") && line.contains('{'))
        .then(|| "inside `{ }` and `[ ]` quote a variable: \"${NAME}\"".to_owned());
    let message = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
    Problem::new(String::new(), place, message, help)
}

fn place(location: Location) -> Place {
    let span = location.span();
    let bytes = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or(0);
    Place {
        line: location.line(),
        column: location.column(),
        offset: bytes(span.byte_offset()),
        len: bytes(span.byte_len()),
    }
}

/// At most 80 characters: enough to recognise, short enough for a line.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

struct Builder<'a> {
    text: &'a str,
    base: &'a Path,
    vars: &'a dyn Resolve,
    nodes: Vec<Node>,
    bad_variables: Vec<(NodeId, BadVariable)>,
}

impl Builder<'_> {
    fn add(&mut self, parent: Option<(NodeId, Step)>, tree: Spanned<Tree>) -> NodeId {
        // The parser's budget keeps the count far below 2^32.
        let id = NodeId(self.nodes.len() as u32);
        let (defined, referenced) = (place(tree.defined), place(tree.referenced));
        self.nodes.push(Node { parent, place: referenced, content: Content::Null });
        let content = match tree.value {
            Tree::Null => Content::Null,
            Tree::Text(text) => self.scalar(id, text, defined),
            // `1.10` is a version as often as a number: what counts is what was written.
            Tree::Number(number) => {
                let written = self.text.get(defined.offset..defined.offset + defined.len);
                self.scalar(
                    id,
                    written.filter(|text| text.starts_with(|c: char| !"\"'".contains(c))).map_or(number, str::to_owned),
                    defined,
                )
            }
            Tree::List(items) => {
                let add = |(index, item)| self.add(Some((id, Step::Index(index))), item);
                Content::List(items.into_iter().enumerate().map(add).collect())
            }
            Tree::Map(entries) => {
                let add = |(key, value): (Spanned<String>, _)| {
                    let step = Step::Key { name: key.value.clone(), place: place(key.referenced) };
                    (key.value, self.add(Some((id, step)), value))
                };
                Content::Map(entries.into_iter().map(add).collect())
            }
        };
        self.nodes[id.0 as usize].content = content;
        id
    }

    fn scalar(&mut self, id: NodeId, written: String, defined: Place) -> Content {
        let expanded = variables::expand(&written, self.base, self.vars);
        let raw = expanded.variable.then_some(written);
        self.bad_variables.extend(expanded.bad.into_iter().map(|bad| (id, bad)));
        Content::Scalar(Scalar { text: expanded.text, raw, defined })
    }
}
