package rosetta.engine;

/** The stream cannot be followed exactly; the message is for a person and names no value. */
final class StreamException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    StreamException(String message) {
        super(message);
    }
}
