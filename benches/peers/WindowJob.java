// The window job in Flink SQL, in one process: how many accesses and how many different patients a user had within an
// hour, every 5 minutes, written to Kafka exactly once. Started by the bench `peers` as a single source file:
// java -cp 'jars/*' WindowJob.java BOOTSTRAP SOURCE SINK PARALLELISM CHECKPOINTS

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

public final class WindowJob {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", arguments[3]);
        settings.setString("execution.checkpointing.interval", "10 s");
        settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        // By default they are sent to the job's manager, which takes 5 MB.
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir", arguments[4]);
        settings.setString("table.local-time-zone", "UTC");
        // A job that began anew would be measured with all that it did before.
        settings.setString("restart-strategy.type", "none");
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        tables.executeSql(
            "CREATE TABLE events (`time` BIGINT, `user` STRING, `patient` STRING,"
                + " moment AS TO_TIMESTAMP_LTZ(`time`, 3), WATERMARK FOR moment AS moment - INTERVAL '5' MINUTE) WITH ("
                + " 'connector' = 'kafka', 'format' = 'json', 'topic' = '" + arguments[1] + "',"
                + " 'properties.bootstrap.servers' = '" + bootstrap + "', 'properties.group.id' = 'peer',"
                + " 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset')");
        tables.executeSql(
            "CREATE TABLE results (`end` BIGINT, `user` STRING, `events` BIGINT, `patients` BIGINT) WITH ("
                + " 'connector' = 'kafka', 'format' = 'json', 'topic' = '" + arguments[2] + "',"
                + " 'properties.bootstrap.servers' = '" + bootstrap + "', 'properties.transaction.timeout.ms' = '60000',"
                + " 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '" + arguments[2] + "')");
        tables.executeSql(
            "INSERT INTO results SELECT 1000 * UNIX_TIMESTAMP(CAST(window_end AS STRING)), `user`, COUNT(*),"
                + " COUNT(DISTINCT `patient`) FROM TABLE(HOP(TABLE events, DESCRIPTOR(moment),"
                + " INTERVAL '5' MINUTES, INTERVAL '1' HOUR)) GROUP BY window_start, window_end, `user`")
            .await();
    }
}
