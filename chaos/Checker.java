// Reads topics from their beginning to where they end now, with the Java client, read_committed, without a group, and prints
// a JSON line for each record; the values of keys, values and headers are base64. Topics come one after the other, and the
// records of a partition in the order of their offsets. At the end a line {"end": <topics>, "undecided": [...]}: without it, it
// was cut short. Undecided are partitions in which a transaction stays open, though nobody writes any more.
//
//   java -cp <Kafka's jars> Checker.java <brokers> <topic>...

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Checker {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  // What the end of a transaction takes; what nobody ends stays open for longer (transaction.timeout.ms).
  private static final Duration UNDECIDED = Duration.ofSeconds(10);

  public static void main(String[] args) throws InterruptedException {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("isolation.level", "read_committed");
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "none");
    settings.put("check.crcs", "true");
    PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
    List<String> topics = Arrays.asList(args).subList(1, args.length);
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    List<String> undecided = new ArrayList<>();
    Properties uncommitted = new Properties();
    uncommitted.putAll(settings);
    uncommitted.put("isolation.level", "read_uncommitted");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes);
        KafkaConsumer<byte[], byte[]> other = new KafkaConsumer<>(uncommitted, bytes, bytes)) {
      for (String topic : topics) undecided.addAll(undecided(consumer, other, topic));
      for (String topic : topics) read(consumer, topic, out);
    }
    String places = undecided.isEmpty() ? "" : '"' + String.join("\",\"", undecided) + '"';
    out.println("{\"end\":" + topics.size() + ",\"undecided\":[" + places + "]}");
    out.flush();
  }

  // Waits until the last stable offsets are the ends; returns the partitions of which they are not.
  private static List<String> undecided(
      KafkaConsumer<byte[], byte[]> consumer, KafkaConsumer<byte[], byte[]> other, String topic) throws InterruptedException {
    List<TopicPartition> partitions = partitionsOf(consumer, topic);
    Map<TopicPartition, Long> ends = other.endOffsets(partitions, PATIENCE);
    for (long since = System.nanoTime(); ; Thread.sleep(100)) {
      Map<TopicPartition, Long> stable = new HashMap<>(consumer.endOffsets(partitions, PATIENCE));
      List<String> open = new ArrayList<>();
      for (TopicPartition each : partitions) if (stable.get(each) < ends.get(each)) open.add(topic + "/" + each.partition());
      if (open.isEmpty() || System.nanoTime() - since > UNDECIDED.toNanos()) return open;
    }
  }

  private static List<TopicPartition> partitionsOf(KafkaConsumer<byte[], byte[]> consumer, String topic) {
    List<TopicPartition> partitions = new ArrayList<>();
    consumer.partitionsFor(topic, PATIENCE).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
    return partitions;
  }

  private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic, PrintStream out) {
    List<TopicPartition> partitions = partitionsOf(consumer, topic);
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
    // With read_committed these are the last stable offsets: what lies behind them is not decided.
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, PATIENCE);
    long quietSince = System.nanoTime();
    while (partitions.stream().anyMatch(each -> consumer.position(each, PATIENCE) < ends.get(each))) {
      boolean any = false;
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
        any = true;
        if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) print(record, out);
      }
      if (any) quietSince = System.nanoTime();
      if (System.nanoTime() - quietSince > PATIENCE.toNanos())
        throw new IllegalStateException("no record of " + topic + " within " + PATIENCE + ", and not at its end");
    }
  }

  private static void print(ConsumerRecord<byte[], byte[]> record, PrintStream out) {
    StringBuilder line = new StringBuilder(512);
    line.append("{\"topic\":").append(quoted(record.topic()));
    line.append(",\"partition\":").append(record.partition());
    line.append(",\"offset\":").append(record.offset());
    line.append(",\"timestamp\":").append(record.timestamp());
    line.append(",\"key\":").append(base64(record.key()));
    line.append(",\"value\":").append(base64(record.value()));
    line.append(",\"headers\":[");
    String comma = "";
    for (Header header : record.headers()) {
      line.append(comma).append('[').append(quoted(header.key())).append(',').append(base64(header.value())).append(']');
      comma = ",";
    }
    out.println(line.append("]}"));
  }

  private static String base64(byte[] bytes) {
    return bytes == null ? "null" : '"' + Base64.getEncoder().encodeToString(bytes) + '"';
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\' || c < ' ') quoted.append(String.format("\\u%04x", (int) c));
      else quoted.append(c);
    }
    return quoted.append('"').toString();
  }
}
