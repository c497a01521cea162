import java.util.Collections;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** A client of whichever kafka-clients is on the class path, from 0.10 to 3.9: writes a record, then
 * reads for ever.  Says "writes" and "reads" once it has. */
public class Client {
    @SuppressWarnings("deprecation")
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("group.id", args[2]);
        for (String end : new String[] { "key", "value" }) {
            p.put(end + ".serializer", "org.apache.kafka.common.serialization.ByteArraySerializer");
            p.put(end + ".deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
        }
        KafkaProducer<byte[], byte[]> out = new KafkaProducer<>(p);
        out.send(new ProducerRecord<>(args[1], new byte[] { 1 })).get();
        System.out.println("writes");
        KafkaConsumer<byte[], byte[]> in = new KafkaConsumer<>(p);
        in.subscribe(Collections.singletonList(args[1]));
        for (long polls = 0;; polls++) {
            in.poll(200L);
            if (polls == 10)
                System.out.println("reads");
        }
    }
}
