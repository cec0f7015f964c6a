// Writes the fixtures of this directory with Hadoop's own classes:
//   java -cp "<hadoop 3.4.1 jars>/*" Fixture.java <this directory>
import java.io.*;
import java.nio.file.*;
import org.apache.hadoop.hdfs.security.token.delegation.DelegationTokenIdentifier;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.WritableUtils;
import org.apache.hadoop.security.Credentials;
import org.apache.hadoop.security.token.Token;

public class Fixture {
    static byte[] counting(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte) i;
        return bytes;
    }

    public static void main(String[] args) throws Exception {
        Path dir = Paths.get(args[0]);
        DelegationTokenIdentifier id = new DelegationTokenIdentifier(
            new Text("alice"), new Text("kube2hadoop"), new Text("kube2hadoop/host@EXAMPLE.COM"));
        id.setIssueDate(1769860800123L);
        id.setMaxDate(1770465600123L);
        id.setSequenceNumber(1234567);
        id.setMasterKeyId(-300);
        Files.write(dir.resolve("identifier"), id.getBytes());

        Token<DelegationTokenIdentifier> hdfs = new Token<>(
            id.getBytes(), counting(20), new Text("HDFS_DELEGATION_TOKEN"), new Text("ha-hdfs:ns1"));
        // Longer than 127 bytes, so that lengths take two bytes; and a service that is not ASCII.
        Token<DelegationTokenIdentifier> kms = new Token<>(
            counting(200), counting(300), new Text("kms-dt"), new Text("kms://https@käse:9600/kms"));
        Credentials credentials = new Credentials();
        credentials.addToken(new Text("ha-hdfs:ns1"), hdfs);
        credentials.addToken(new Text("kms-1"), kms);
        credentials.addSecretKey(new Text("key"), counting(130));
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(dir.resolve("credentials")))) {
            credentials.writeTokenStorageToStream(out, Credentials.SerializedFormat.WRITABLE);
        }
        Files.writeString(dir.resolve("hdfs.url-string"), hdfs.encodeToUrlString());
        Files.writeString(dir.resolve("kms.url-string"), kms.encodeToUrlString());

        long[] numbers = {0, 1, 127, 128, 255, 256, 65535, 65536, -1, -112, -113, -128, -129, -256, -257,
            1769860800123L, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE};
        try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(dir.resolve("numbers")))) {
            for (long number : numbers) WritableUtils.writeVLong(out, number);
        }
    }
}
