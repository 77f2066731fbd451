//! A side as it is written on the command line:
//! `brokers=HOST:PORT[,HOST:PORT...],topic=NAME[,properties=FILE][,PROPERTY=VALUE...]`.

use std::path::Path;

use crate::kafka::{OWNED_PROPERTIES, Settings};

/// A topic of a cluster. Its properties may hold secrets: it is never shown.
#[derive(Clone)]
pub struct Side {
    pub(super) kafka: Settings,
    pub(super) topic: String,
}

impl Side {
    /// Reads a side; `file` reads the file of its properties.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str, file: &dyn Fn(&Path) -> Result<String, String>) -> Result<Self, String> {
        let (mut brokers, mut topic, mut properties) = (String::new(), String::new(), Vec::new());
        for (name, value) in pairs(text)? {
            match name.as_str() {
                "brokers" => brokers = value,
                "topic" => topic = value,
                "properties" => properties.extend(lines(&value, &file(Path::new(&value))?)?),
                name if name.contains('.') => properties.push((name.to_owned(), value)),
                name => {
                    return Err(format!(
                        "`{name}` is neither `brokers`, `topic`, `properties` nor a property of librdkafka"
                    ));
                }
            }
        }
        if let Some((name, _)) = properties.iter().find(|(name, _)| OWNED_PROPERTIES.contains(&name.as_str())) {
            return Err(format!("`{name}` cannot be set: no group is joined, and all is read that is there"));
        }
        let brokers: Vec<String> = brokers.split(',').filter(|broker| !broker.is_empty()).map(str::to_owned).collect();
        for broker in &brokers {
            let port =
                broker.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
            if port.is_none() {
                return Err(format!("`{broker}` is no HOST:PORT"));
            }
        }
        match (brokers.is_empty(), topic.is_empty()) {
            (true, _) => Err("it names no brokers: write brokers=HOST:PORT".into()),
            (_, true) => Err("it names no topic: write topic=NAME".into()),
            _ => Ok(Self { kafka: Settings { brokers, properties }, topic }),
        }
    }
}

/// The pairs between commas. What has no `=` goes on with the value before: brokers are a list.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in text.split(',') {
        match (piece.split_once('='), pairs.last_mut()) {
            (Some((name, value)), _) => pairs.push((name.trim().to_owned(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(piece);
            }
            (None, None) => return Err(format!("`{piece}` is no NAME=VALUE")),
        }
    }
    Ok(pairs)
}

/// The properties of a file: a `NAME=VALUE` on a line, `#` in front of remarks.
fn lines(file: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| match line.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            // The line itself may hold a secret.
            None => Err(format!("{file}:{}: expected NAME=VALUE", number + 1)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Side, String> {
        Side::parse(text, &|path| match path.to_str() {
            Some("good") => Ok("# who\nsasl.username = me\n\nsasl.password=a=b,c\n".into()),
            Some("bad") => Ok("a.b=c\nsecret\n".into()),
            _ => Err("no such file".into()),
        })
    }

    #[test]
    fn a_side_names_brokers_a_topic_and_properties() {
        let side = parse("brokers=a:1,b:2,topic=t,properties=good,security.protocol=SSL,ssl.cipher.suites=x,y");
        let Side { kafka, topic } = side.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((kafka.brokers, topic), (vec!["a:1".to_owned(), "b:2".to_owned()], "t".to_owned()));
        let expected = [
            ("sasl.username", "me"),
            ("sasl.password", "a=b,c"),
            ("security.protocol", "SSL"),
            ("ssl.cipher.suites", "x,y"),
        ];
        assert_eq!(kafka.properties, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn mistakes_are_said() {
        for (text, words) in [
            ("", "`` is no NAME=VALUE"),
            ("topic=t", "names no brokers"),
            ("brokers=a:1", "names no topic"),
            ("brokers=a,topic=t", "`a` is no HOST:PORT"),
            ("brokers=:1,topic=t", "`:1` is no HOST:PORT"),
            ("broker=a:1,topic=t", "`broker` is neither"),
            ("brokers=a:1,topic=t,group.id=g", "`group.id` cannot be set"),
            ("brokers=a:1,topic=t,properties=bad", "bad:2: expected NAME=VALUE"),
            ("brokers=a:1,topic=t,properties=none", "no such file"),
        ] {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
