import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipFile;

/**
 * Writes Debezium's class of all types of a database with one difference: a domain over an enum is no enum itself.
 *
 * As a domain it has no labels, and Debezium, which looks for them, ends at its start: whatever table the type is
 * for, and also if none has it. Only the text of its queries is changed, in the constants of the class.
 *
 * Usage: java PatchTypes.java JAR CLASSES
 */
final class PatchTypes {
    private static final String CLASS = "io/debezium/connector/postgresql/TypeRegistry.class";
    private static final String THEIRS = "t.typcategory as category";
    private static final String OURS =
            "CASE WHEN t.typtype = 'd' AND t.typcategory = 'E' THEN 'U' ELSE t.typcategory END as category";
    private static final int QUERIES = 3;

    public static void main(String[] arguments) throws IOException {
        Path target = Path.of(arguments[1]).resolve(CLASS);
        Files.createDirectories(target.getParent());
        try (ZipFile jar = new ZipFile(arguments[0]);
                InputStream theirs = jar.getInputStream(jar.getEntry(CLASS));
                OutputStream ours = Files.newOutputStream(target)) {
            patch(new DataInputStream(theirs), new DataOutputStream(ours));
        }
    }

    private static void patch(DataInputStream theirs, DataOutputStream ours) throws IOException {
        ours.write(theirs.readNBytes(8)); // magic number and version
        int count = theirs.readUnsignedShort();
        ours.writeShort(count);
        int changed = 0;
        for (int index = 1; index < count; index++) {
            int tag = theirs.readUnsignedByte();
            ours.writeByte(tag);
            if (tag == 1) {
                String text = theirs.readUTF();
                changed += text.contains(THEIRS) ? 1 : 0;
                ours.writeUTF(text.replace(THEIRS, OURS));
            } else {
                ours.write(theirs.readNBytes(size(tag)));
                index += tag == 5 || tag == 6 ? 1 : 0; // long and double count twice
            }
        }
        if (changed != QUERIES) {
            throw new IOException(changed + " queries instead of " + QUERIES + ": another version of Debezium?");
        }
        theirs.transferTo(ours);
    }

    /** Bytes of a constant behind its tag. */
    private static int size(int tag) throws IOException {
        return switch (tag) {
            case 7, 8, 16, 19, 20 -> 2;
            case 15 -> 3;
            case 3, 4, 9, 10, 11, 12, 17, 18 -> 4;
            case 5, 6 -> 8;
            default -> throw new IOException("a constant of the unknown kind " + tag);
        };
    }
}
