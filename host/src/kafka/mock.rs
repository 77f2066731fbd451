//! librdkafka's mock cluster in this process: the broker of the demo and of quick tests.
//!
//! Not a broker to rely on: it keeps at most 5 MiB or 100,000 batches of a partition and drops the oldest
//! (rdkafka_mock.c), its transactions are fake, and it ends with the process. Java clients cannot connect.

use rdkafka::{
    ClientContext,
    client::Client,
    config::{ClientConfig, RDKafkaLogLevel},
    types::RDKafkaType,
};
use rdkafka_sys as sys;

use super::{KafkaError, log};

/// One broker on a free port of the loopback interface.
pub struct MockCluster {
    client: Client<Context>,
    brokers: String,
}

impl MockCluster {
    /// # Errors
    /// librdkafka cannot open a listening socket.
    pub fn start() -> Result<Self, KafkaError> {
        let failed = |error| KafkaError::new("start the mock cluster", error);
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", "1").set_log_level(RDKafkaLogLevel::Warning);
        let native = config.create_native_config().map_err(failed)?;
        let client = Client::new(&config, native, RDKafkaType::RD_KAFKA_PRODUCER, Context).map_err(failed)?;
        // SAFETY: the client is alive and was created with a mock cluster.
        unsafe {
            let cluster = sys::rd_kafka_handle_mock_cluster(client.native_ptr());
            if cluster.is_null() {
                return Err(KafkaError::new("start the mock cluster", "librdkafka made none"));
            }
            // The default of 3 s only makes a first join slow: nobody else is about to join.
            sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 100);
        }
        let brokers = client.mock_cluster().map(|cluster| cluster.bootstrap_servers()).unwrap_or_default();
        Ok(Self { client, brokers })
    }

    /// Bootstrap servers.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// # Errors
    /// The topic exists, or the name is bad.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), KafkaError> {
        let failed = |error| KafkaError::new("create a topic on the mock cluster", error);
        match self.client.mock_cluster() {
            Some(cluster) => cluster.create_topic(topic, partitions, 1).map_err(failed),
            None => Err(KafkaError::new("create a topic on the mock cluster", "it is gone")),
        }
    }
}

struct Context;

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::write(level as i32, facility, message);
    }
}
