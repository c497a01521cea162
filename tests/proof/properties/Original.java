/* What Java and, with its jars in the class path, Kafka itself read out of properties texts: the
 * input of dump_config.c, the same keys in its lines of JSON.  A text that Java or Kafka refuses has
 * "unreadable" or "refused" with the reason. */
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Scanner;
import java.util.TreeMap;

public class Original {
    private static final Class<?> CONFIG = find("kafka.server.KafkaConfig");
    private static final Class<?> MAIN = find("kafka.Kafka");

    private static Class<?> find(String name) {
        try {
            return Class.forName(name);
        } catch (ClassNotFoundException e) {
            return null;
        }
    }

    private static byte[] bytesOf(String hex) {
        if (hex.equals("-"))
            return new byte[0];
        byte[] b = new byte[hex.length() / 2];
        for (int i = 0; i < b.length; i++)
            b[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return b;
    }

    private static String json(Object o) {
        StringBuilder b = new StringBuilder();
        if (o == null || o instanceof Boolean || o instanceof Integer)
            return String.valueOf(o);
        if (o instanceof Collection) {
            for (Object one : (Collection<?>) o)
                b.append(b.length() == 0 ? "" : ",").append(json(one));
            return "[" + b + "]";
        }
        if (o instanceof Map) {
            for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet())
                b.append(b.length() == 0 ? "" : ",").append(json(e.getKey())).append(':').append(json(e.getValue()));
            return "{" + b + "}";
        }
        for (char c : o.toString().toCharArray())
            b.append(String.format("\\u%04x", (int) c));
        return "\"" + b + "\"";
    }

    /* Scala's collections up to 3.x, Java's later. */
    private static List<String> texts(Object seq) throws Exception {
        List<String> list = new ArrayList<>();
        if (seq instanceof Collection) {
            for (Object o : (Collection<?>) seq)
                list.add(String.valueOf(o));
            return list;
        }
        Object it = call(seq, "iterator");
        while ((Boolean) call(it, "hasNext"))
            list.add(String.valueOf(call(it, "next")));
        return list;
    }

    private static Object call(Object on, String name) throws Exception {
        Method m = on.getClass().getMethod(name);
        m.setAccessible(true);
        return m.invoke(on);
    }

    private static void meaning(Properties p, Map<String, Object> out) throws Exception {
        Object c = CONFIG.getMethod("fromProps", Properties.class, boolean.class).invoke(null, p, false);
        out.put("roles", texts(call(c, "processRoles")));
        out.put("id", call(c, texts(call(c, "processRoles")).isEmpty() ? "brokerId" : "nodeId"));
        out.put("log_dirs", texts(call(c, "logDirs")));
        out.put("metadata_dir", call(c, "metadataLogDir"));
        for (String[] one : new String[][] { { "ibp", "interBrokerProtocolVersionString" }, { "migration", "migrationEnabled" } })
            if (Arrays.stream(CONFIG.getMethods()).anyMatch(m -> m.getName().equals(one[1])))
                out.put(one[0], call(c, one[1]));
    }

    private static Properties read(Path file, byte[] text, List<String> overrides) throws Exception {
        if (MAIN == null) {
            Properties p = new Properties();
            try (InputStream in = new ByteArrayInputStream(text)) {
                p.load(in);
            }
            return p;
        }
        Files.write(file, text);
        List<String> args = new ArrayList<>(List.of(file.toString()));
        for (String o : overrides)
            args.addAll(List.of("--override", o));
        return (Properties) MAIN.getMethod("getPropsFromArgs", String[].class)
            .invoke(null, (Object) args.toArray(new String[0]));
    }

    private static Map<String, Object> answer(Path file, String[] words) throws Exception {
        Map<String, Object> out = new TreeMap<>();
        List<String> overrides = new ArrayList<>();
        for (int i = 1; i < words.length; i++)
            overrides.add(new String(bytesOf(words[i]), StandardCharsets.UTF_8));
        Properties p;
        try {
            p = read(file, bytesOf(words[0]), overrides);
        } catch (InvocationTargetException | IllegalArgumentException e) {
            out.put("unreadable", String.valueOf(e.getCause() == null ? e : e.getCause()));
            return out;
        }
        out.put("values", new TreeMap<Object, Object>(p));
        if (CONFIG == null)
            return out;
        try {
            meaning(p, out);
        } catch (InvocationTargetException e) {
            out.put("refused", String.valueOf(e.getCause()));
        }
        return out;
    }

    public static void main(String[] args) throws Exception {
        Path file = Files.createTempFile("kplay-proof", ".properties");
        StringBuilder all = new StringBuilder();
        for (Scanner in = new Scanner(System.in); in.hasNextLine();)
            all.append(json(answer(file, in.nextLine().split(" ")))).append('\n');
        Files.delete(file);
        System.out.print(all);
    }
}
