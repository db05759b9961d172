import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import org.opensearch.client.node.NodeClient;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.ActionPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.rest.RestChannel;
import org.opensearch.rest.RestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node of the jars on the class path, for one machine: on loopback, without security, modules or plugins.
 *
 * <p>Arguments: the directory for its data, and the port for HTTP. It ends with SIGTERM.
 */
public final class OpenSearchNode extends Node {
    private static final String PRODUCT_HEADER = "X-Elastic-Product";

    private OpenSearchNode(Settings settings) {
        super(
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "llm-router"),
                List.of(Netty4Plugin.class, ProductHeader.class),
                false);
    }

    public static void main(String[] arguments) throws Exception {
        Path data = Path.of(arguments[0]).toAbsolutePath();
        Settings settings = Settings.builder()
                .put("path.home", data.toString())
                .put("path.data", data.resolve("data").toString())
                .put("path.logs", data.resolve("logs").toString())
                .put("cluster.name", "llm-router")
                .put("discovery.type", "single-node")
                .put("network.host", "127.0.0.1")
                .put("http.port", arguments[1])
                .put("transport.port", "0")
                // Shares of the disk, by default: a laptop with a disk of 1 TB that is 95 % full has room enough.
                .put("cluster.routing.allocation.disk.watermark.low", "3gb")
                .put("cluster.routing.allocation.disk.watermark.high", "2gb")
                .put("cluster.routing.allocation.disk.watermark.flood_stage", "1gb")
                .build();
        OpenSearchNode node = new OpenSearchNode(settings);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (java.io.IOException failure) {
                failure.printStackTrace();
            }
            closed.countDown();
        }));
        node.start();
        closed.await();
    }

    /**
     * Answers as what the Collector's elasticsearch exporter was written for.
     *
     * <p>The exporter takes an answer without this header for a failure, after the records have been indexed.
     */
    public static final class ProductHeader extends Plugin implements ActionPlugin {
        @Override
        public UnaryOperator<RestHandler> getRestHandlerWrapper(ThreadContext context) {
            return handler -> new RestHandler.Wrapper(handler) {
                @Override
                public void handleRequest(RestRequest request, RestChannel channel, NodeClient client) throws Exception {
                    context.addResponseHeader(PRODUCT_HEADER, "Elasticsearch");
                    super.handleRequest(request, channel, client);
                }
            };
        }
    }
}
