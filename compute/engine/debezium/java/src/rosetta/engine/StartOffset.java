package rosetta.engine;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.storage.OffsetBackingStore;
import org.apache.kafka.connect.util.Callback;

/**
 * The offset to start from, and then what was acknowledged, which Debezium reads back to flush it to the slot.
 * Nothing outlives the engine: progress is kept by the destinations and by the slot.
 *
 * <p>The first offset says only `lsn`. Given more, Debezium would search the WAL for the last event it processed and
 * pass over whatever shares an LSN with it, which are rows of one COPY.
 */
public final class StartOffset implements OffsetBackingStore {
    public static final String PROPERTY = "offset.storage.rosetta.lsn";

    private final Map<ByteBuffer, ByteBuffer> stored = new ConcurrentHashMap<>();
    private ByteBuffer first;

    @Override
    public void configure(WorkerConfig config) {
        long lsn = Long.parseLong(config.originalsStrings().get(PROPERTY));
        first = ByteBuffer.wrap(("{\"lsn\":" + lsn + "}").getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void start() {
        // There is nothing to open.
    }

    @Override
    public void stop() {
        // There is nothing to close.
    }

    @Override
    public Future<Map<ByteBuffer, ByteBuffer>> get(Collection<ByteBuffer> keys) {
        Map<ByteBuffer, ByteBuffer> offsets = new HashMap<>();
        keys.forEach(key -> offsets.put(key, stored.getOrDefault(key, first).duplicate()));
        return CompletableFuture.completedFuture(offsets);
    }

    @Override
    public Future<Void> set(Map<ByteBuffer, ByteBuffer> values, Callback<Void> callback) {
        stored.putAll(values);
        if (callback != null) {
            callback.onCompletion(null, null);
        }
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public Set<Map<String, Object>> connectorPartitions(String connector) {
        return Set.of();
    }
}
