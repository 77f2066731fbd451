import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** What is done with a value: the work of Wasmill's example modules. */
final class Work {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final byte[] WORD = "keep".getBytes(StandardCharsets.US_ASCII);

    private Work() {}

    static String setting(String name) {
        String value = System.getenv(name);
        if (value == null) throw new IllegalStateException(name + " is not set");
        return value;
    }

    static boolean keeps(byte[] value) {
        next:
        for (int at = 0; at <= value.length - WORD.length; at++) {
            for (int i = 0; i < WORD.length; i++) if (value[at + i] != WORD[i]) continue next;
            return true;
        }
        return false;
    }

    /** Index of the topic. */
    static int route(byte[] value) throws Exception {
        return Map.of("order", 1, "refund", 2).getOrDefault(JSON.readTree(value).path("kind").asText(), 0);
    }

    static byte[] clean(byte[] value) throws Exception {
        ObjectNode fields = (ObjectNode) JSON.readTree(value);
        fields.remove("name");
        fields.remove("password");
        fields.put("env", "prod");
        return JSON.writeValueAsBytes(fields);
    }
}
