package rosetta.engine;

import io.debezium.DebeziumException;
import java.io.IOException;
import org.apache.kafka.connect.errors.ConnectException;
import org.postgresql.util.PSQLException;

/** Why an engine ended, in words that quote no row: only messages of known origin are repeated. */
final class Reason {
    private Reason() {
    }

    static String of(String message, Throwable error) {
        if (error == null) {
            return message == null ? "the engine ended without a reason" : message;
        }
        String text = null;
        int depth = 0;
        for (Throwable cause = error; cause != null && depth++ < 20; cause = cause.getCause()) {
            String known = known(cause);
            text = known == null ? text : known;
        }
        return text == null ? "the engine ended with " + root(error).getClass().getName() : text;
    }

    /** The innermost known cause says most, so later ones win. */
    private static String known(Throwable cause) {
        if (cause instanceof PSQLException failure) {
            return failure.getServerErrorMessage() == null
                    ? failure.getMessage()
                    : failure.getServerErrorMessage().getMessage() + " (SQLSTATE " + failure.getSQLState() + ")";
        }
        boolean ours = cause instanceof StreamException || cause instanceof IOException;
        boolean debezium = cause.getClass() == DebeziumException.class || cause.getClass() == ConnectException.class;
        if (!ours && !debezium || cause.getMessage() == null) {
            return null;
        }
        // These two repeat their cause's text, which may quote anything, when they were given none of their own.
        return debezium && cause.getCause() != null && cause.getMessage().equals(cause.getCause().toString())
                ? null
                : cause.getMessage();
    }

    private static Throwable root(Throwable error) {
        Throwable root = error;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        return root;
    }
}
