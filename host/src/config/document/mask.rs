//! Masks secrets in the text of a pipeline file, so that the lines around a mistake can be shown.
//!
//! Every masked byte becomes one `*` and newlines stay: places in the masked text are those of the file.

use std::ops::Range;

use super::{Content, Document, NodeId, Scalar};
use crate::config::secret::looks_secret;

impl Document {
    /// The text with the values of secret keys and the credentials of URLs masked. Variables stay as written.
    pub(in crate::config) fn mask(&self, text: &str) -> String {
        let mut ranges = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Content::Scalar(Scalar { defined, .. }) = &node.content else { continue };
            let range = defined.offset..defined.offset + defined.len;
            let Some(written) = text.get(range.clone()) else { continue };
            if self.is_secret(NodeId(index as u32)) {
                if !is_variable(written) {
                    ranges.push(range);
                }
            } else if let Some(credentials) = credentials(written) {
                ranges.push(range.start + credentials.start..range.start + credentials.end);
            }
        }
        mask_ranges(text, ranges)
    }
}

/// As [`Document::mask`] for a text that is no YAML: what stands behind each key that looks secret, on its line and on
/// the lines that are indented further, and the credentials of URLs. Shows too little rather than too much.
pub(in crate::config) fn mask_lines(text: &str) -> String {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut secret_indent = None;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let indent = line.len() - line.trim_start().len();
        if secret_indent.is_some_and(|secret| indent > secret) {
            ranges.push(start + indent..end);
        } else {
            let colon = secret_colon(line);
            secret_indent = colon.map(|_| indent);
            ranges.extend(colon.map(|colon| start + colon + 1..end));
            ranges.extend(credentials(line).map(|range| start + range.start..start + range.end));
        }
        start += line.len();
    }
    mask_ranges(text, ranges)
}

/// Where the first key that looks secret ends.
fn secret_colon(line: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || "._-\"'".contains(c);
    line.match_indices(':').map(|(colon, _)| colon).find(|colon| {
        let before = line.get(..*colon).unwrap_or_default();
        let key = before.rsplit(|c| !is_word(c)).next().unwrap_or_default();
        looks_secret(key.trim_matches(['"', '\'']))
    })
}

/// What stands between the slashes of a URL and its last `@`. One slash is enough: URLs in mistakes are misspelt.
pub(super) fn credentials(text: &str) -> Option<Range<usize>> {
    let slashes = text.find(":/")? + 1;
    let start = text.len() - text.get(slashes..)?.trim_start_matches('/').len();
    let end = start + text.get(start..)?.rfind('@')?;
    let literal = text.get(start..end).is_some_and(|part| !is_variable(part));
    (start < end && literal).then_some(start..end)
}

/// A variable alone, without a default that might itself be the secret.
fn is_variable(written: &str) -> bool {
    let written = written.trim_matches(['"', '\'']);
    let inner = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.contains([':', '$', '}']) || inner.starts_with("file:"))
}

/// Masks ranges that begin and end between characters.
pub(super) fn mask_ranges(text: &str, ranges: impl IntoIterator<Item = Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        let masked = bytes.get_mut(range).into_iter().flatten();
        masked.filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b'*');
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
