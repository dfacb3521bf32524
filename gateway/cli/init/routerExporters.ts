import { isSection, type Section, sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import { note, noteKeys, section, type Translate, to, unless, unneeded } from './routerOptions.ts';

const defaultEndpoint = 'http://localhost:4318';
const endpointPath = ['telemetry', 'otlp', 'endpoint'];
const headersPath = ['telemetry', 'otlp', 'headers'];
const sampleRatioPath = ['telemetry', 'otlp', 'sampleRatio'];

const resource: Readonly<Record<string, Translate>> = {
  service_name: note('set OTEL_SERVICE_NAME'),
  service_namespace: note('set OTEL_RESOURCE_ATTRIBUTES, such as service.namespace=shop'),
  resource: note('set OTEL_RESOURCE_ATTRIBUTES, such as deployment.environment=production'),
};

const logFormat: Translate = (value, source, draft) => {
  const formats = isSection(value) ? Object.keys(value) : [value];
  draft.set(['telemetry', 'logFormat'], formats.includes('json') ? 'json' : 'pretty', source);
  for (const [name, options] of Object.entries(sectionOf(value))) {
    if (Object.keys(sectionOf(options)).length > 0)
      draft.note(`${source}.${name}`, 'the fields of log lines are fixed; see docs/observability.md');
  }
};

const sampler: Translate = (value, source, draft) => {
  const ratio = value === 'always_on' ? 1 : value === 'always_off' ? 0 : value;
  const isReference = typeof ratio === 'string' && ratio.includes('${');
  to(sampleRatioPath.join('.'), () => (typeof ratio === 'number' || isReference ? ratio : undefined))(
    value,
    source,
    draft,
  );
};

/** An exporter that has no counterpart, unless it is off. */
const exporter =
  (text: string): Translate =>
  (value, source, draft) => {
    if (sectionOf(value).enabled !== false) draft.note(source, text);
  };

/** Methods of propagation, by their names. */
const propagation: Translate = (value, source, draft) => {
  for (const [name, isOn] of Object.entries(sectionOf(value))) {
    if (isOn !== false && name !== 'trace_context')
      draft.note(`${source}.${name}`, 'traces are propagated with traceparent and tracestate only');
  }
};

interface OtlpExporter {
  readonly isEnabled: boolean;
  readonly endpoint: unknown;
  readonly headers: Section;
}

/** Reads an exporter with OTLP. What has no counterpart becomes a note. */
function readOtlp(value: unknown, source: string, draft: ConfigDraft): OtlpExporter {
  const { enabled = false, endpoint = 'default', protocol = 'grpc', http, ...others } = sectionOf(value);
  const { headers, ...ofHttp } = sectionOf(http);
  if (enabled !== false) {
    unless([true], `the value ${JSON.stringify(enabled)} cannot be translated`)(
      enabled,
      `${source}.enabled`,
      draft,
    );
    unless(['http'], 'telemetry is sent over HTTP (port 4318), not gRPC')(
      protocol,
      `${source}.protocol`,
      draft,
    );
    noteKeys(ofHttp, `${source}.http`, draft);
    noteKeys(others, source, draft);
  }
  return {
    isEnabled: enabled === true,
    endpoint: endpoint === 'default' ? defaultEndpoint : withoutSignalPath(endpoint),
    headers: sectionOf(headers),
  };
}

/** The base address, to which the gateway adds the path of each signal. */
function withoutSignalPath(endpoint: unknown): unknown {
  return typeof endpoint === 'string' ? endpoint.replace(/\/v1\/(?:traces|metrics)\/?$/, '') : endpoint;
}

function setCollector({ endpoint, headers }: OtlpExporter, source: string, draft: ConfigDraft): void {
  to(endpointPath.join('.'))(endpoint, source, draft);
  if (Object.keys(headers).length > 0) to(headersPath.join('.'))(headers, `${source}.http.headers`, draft);
}

/** Translates `telemetry.exporters` of Apollo Router. Traces and metrics have one collector here. */
export const translateExporters: Translate = (value, source, draft) => {
  const { logging, tracing, metrics, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  section({
    common: section(resource),
    stdout: section({ enabled: unless([true], 'set telemetry.logLevel: silent'), format: logFormat }),
  })(logging, `${source}.logging`, draft);

  const { otlp: tracingOtlp, ...ofTracing } = sectionOf(tracing);
  const spans = readOtlp(tracingOtlp, `${source}.tracing.otlp`, draft);
  section({
    common: section({
      ...resource,
      sampler: spans.isEnabled ? sampler : unneeded,
      parent_based_sampler: unless([true], 'requests that come with a trace are recorded as it says'),
    }),
    propagation,
    zipkin: exporter('spans are sent with OTLP only: telemetry.otlp.endpoint'),
    datadog: exporter('spans are sent with OTLP only: telemetry.otlp.endpoint'),
  })(ofTracing, `${source}.tracing`, draft);
  if (spans.isEnabled) setCollector(spans, `${source}.tracing.otlp`, draft);

  const { otlp: metricsOtlp, ...ofMetrics } = sectionOf(metrics);
  const exported = readOtlp(metricsOtlp, `${source}.metrics.otlp`, draft);
  section({
    common: section(resource),
    prometheus: exporter('metrics are at GET /metrics of the admin listener, for Prometheus'),
  })(ofMetrics, `${source}.metrics`, draft);
  if (!exported.isEnabled) return;
  draft.set(['telemetry', 'metrics', 'otlp'], true, `${source}.metrics.otlp.enabled`);
  if (!spans.isEnabled) {
    setCollector(exported, `${source}.metrics.otlp`, draft);
    draft.set(sampleRatioPath, 0, `${source}.metrics.otlp`);
    draft.note(
      `${source}.metrics.otlp`,
      'the collector also gets the spans of requests that come with a trace',
    );
  } else if (collectorOf(exported) !== collectorOf(spans))
    draft.note(
      `${source}.metrics.otlp`,
      'metrics go to the collector of the traces: telemetry.otlp.endpoint',
    );
};

/** A text that is equal for equal collectors. */
function collectorOf({ endpoint, headers }: OtlpExporter): string {
  return JSON.stringify([endpoint, Object.entries(headers).sort()]);
}
