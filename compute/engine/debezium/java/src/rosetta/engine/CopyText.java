package rosetta.engine;

import java.util.Arrays;

/** Grows lines of PostgreSQL COPY text (UTF-8) in one buffer. */
final class CopyText {
    private static final int BLOCK = 0x1000;
    private static final byte[] ESCAPED = new byte[128];

    static {
        ESCAPED['\b'] = 'b';
        ESCAPED['\f'] = 'f';
        ESCAPED['\n'] = 'n';
        ESCAPED['\r'] = 'r';
        ESCAPED['\t'] = 't';
        ESCAPED[0x0b] = 'v';
        ESCAPED['\\'] = '\\';
    }

    private byte[] bytes;
    private int length;

    CopyText(int capacity) {
        bytes = new byte[capacity];
    }

    int length() {
        return length;
    }

    byte[] toBytes() {
        return length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
    }

    void tab() {
        raw('\t');
    }

    void endLine() {
        raw('\n');
    }

    void absent() {
        reserve(2);
        bytes[length++] = '\\';
        bytes[length++] = 'N';
    }

    void raw(char ascii) {
        reserve(1);
        bytes[length++] = (byte) ascii;
    }

    void number(long value) {
        if (value < 0) {
            text(Long.toString(value));
            return;
        }
        reserve(19);
        int digits = 1;
        for (long rest = value; rest >= 10; rest /= 10) {
            digits++;
        }
        int at = length + digits;
        long rest = value;
        do {
            bytes[--at] = (byte) ('0' + rest % 10);
            rest /= 10;
        } while (rest > 0);
        length += digits;
    }

    /** A value, or the sign for NULL. */
    void text(String value) {
        if (value == null) {
            absent();
            return;
        }
        int size = value.length();
        for (int index = 0; index < size;) {
            int end = Math.min(size, index + BLOCK);
            // No char takes more than three bytes; a pair of surrogates takes four and may reach over the block's end.
            reserve(3 * (end - index) + 4);
            while (index < end) {
                char character = value.charAt(index);
                index += character < 0x80 ? narrow(character) : wide(value, index, character);
            }
        }
    }

    private int narrow(char character) {
        byte escape = ESCAPED[character];
        if (escape == 0) {
            bytes[length++] = (byte) character;
        } else {
            bytes[length++] = '\\';
            bytes[length++] = escape;
        }
        return 1;
    }

    /** Writes one character beyond ASCII; returns how many chars of `value` it took. */
    private int wide(String value, int index, char character) {
        if (character < 0x800) {
            bytes[length++] = (byte) (0xc0 | character >> 6);
            bytes[length++] = (byte) (0x80 | character & 0x3f);
            return 1;
        }
        if (Character.isHighSurrogate(character) && index + 1 < value.length()) {
            int point = Character.toCodePoint(character, value.charAt(index + 1));
            bytes[length++] = (byte) (0xf0 | point >> 18);
            bytes[length++] = (byte) (0x80 | point >> 12 & 0x3f);
            bytes[length++] = (byte) (0x80 | point >> 6 & 0x3f);
            bytes[length++] = (byte) (0x80 | point & 0x3f);
            return 2;
        }
        bytes[length++] = (byte) (0xe0 | character >> 12);
        bytes[length++] = (byte) (0x80 | character >> 6 & 0x3f);
        bytes[length++] = (byte) (0x80 | character & 0x3f);
        return 1;
    }

    private void reserve(int more) {
        int needed = length + more;
        if (needed < 0) {
            throw new IllegalStateException("a batch of one table is larger than 2 GB");
        }
        if (needed > bytes.length) {
            int grown = bytes.length < 0x2000_0000 ? bytes.length * 2 : Integer.MAX_VALUE - 16;
            bytes = Arrays.copyOf(bytes, Math.max(grown, needed));
        }
    }
}
