package io.debezium.pipeline.txmetadata;

import io.debezium.config.CommonConnectorConfig;
import io.debezium.connector.postgresql.PostgresOffsetContext;
import io.debezium.function.BlockingConsumer;
import io.debezium.pipeline.source.spi.EventMetadataProvider;
import io.debezium.pipeline.spi.OffsetContext;
import io.debezium.pipeline.spi.Partition;
import io.debezium.schema.SchemaFactory;
import io.debezium.schema.SchemaNameAdjuster;
import io.debezium.spi.schema.DataCollectionId;
import java.time.Instant;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import rosetta.engine.Commits;

/**
 * Takes the place of Debezium's class of this name, which is idle unless it makes two records per transaction:
 * this one only notes where transactions end. All calls come from the thread that reads the WAL.
 */
public class TransactionMonitor {
    public static final Schema TRANSACTION_BLOCK_SCHEMA = SchemaFactory.get().transactionBlockSchema();

    private final BlockingConsumer<SourceRecord> sender;
    private final Commits commits;
    private Object lastEvent;

    public TransactionMonitor(CommonConnectorConfig config, EventMetadataProvider metadata, SchemaNameAdjuster names,
            BlockingConsumer<SourceRecord> sender, String topic) {
        this.sender = sender;
        this.commits = Commits.of(config.getLogicalName());
    }

    public void dataEvent(Partition partition, DataCollectionId source, OffsetContext offset, Object key, Struct value)
            throws InterruptedException {
        lastEvent = value;
    }

    public void transactionStartedEvent(Partition partition, TransactionInfo info, OffsetContext offset, Instant time)
            throws InterruptedException {
        // A beginning tells nothing that the first event does not.
    }

    public void transactionCommittedEvent(Partition partition, OffsetContext offset, Instant time)
            throws InterruptedException {
        long end = ((PostgresOffsetContext) offset).lastCommitLsn().asLong();
        if (commits.completed(lastEvent, end)) {
            sender.accept(new SourceRecord(
                    partition.getSourcePartition(), offset.getOffset(), Commits.TOPIC, null, null));
        }
    }
}
