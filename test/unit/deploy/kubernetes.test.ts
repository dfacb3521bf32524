import { existsSync } from 'node:fs';
import { glob, readdir, readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { exitCode } from '../../../gateway/cli/exitCode.ts';
import { expandReferences, referenceValues } from '../../../gateway/config/expandReferences.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';

const deploy = join(import.meta.dirname, '../../../deploy');
const base = 'kubernetes/base';

async function readText(path: string): Promise<string> {
  return readFile(join(deploy, path), 'utf8');
}

async function readYaml(path: string) {
  return parse(await readText(path));
}

const configuration = parseConfig(
  expandReferences(await readYaml(`${base}/tributary.yaml`), referenceValues({}, base)).expanded,
);
const drainMs = configuration.listen.shutdownDelay + configuration.listen.drainTimeout;

describe('the Kubernetes manifests', () => {
  test('have files for everything that a kustomization names', async () => {
    const missing: string[] = [];
    let count = 0;
    for await (const path of glob('kubernetes/**/kustomization.yaml', { cwd: deploy })) {
      count++;
      const { resources = [], components = [], configMapGenerator = [] } = await readYaml(path);
      const files = configMapGenerator.flatMap((generator: { files: string[] }) => generator.files);
      for (const named of [...resources, ...components, ...files]) {
        if (!existsSync(join(deploy, path, '..', named))) missing.push(`${path}: ${named}`);
      }
    }
    expect(count).toBe(5);
    expect(missing).toEqual([]);
  });

  test('probe and expose the ports that the configuration listens on', async () => {
    const { spec } = await readYaml(`${base}/deployment.yaml`);
    const [container] = spec.template.spec.containers;
    const ports = Object.fromEntries(
      container.ports.map(({ name, containerPort }: { name: string; containerPort: number }) => [
        name,
        containerPort,
      ]),
    );
    expect(ports).toEqual({ http: configuration.listen.port, admin: configuration.admin.port });
    const probed = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probed.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/health/live', port: 'admin' },
      { path: '/health/live', port: 'admin' },
      { path: '/health/ready', port: 'admin' },
    ]);
  });

  test('mount the supergraph as a directory, at the path that the configuration reads', async () => {
    const { spec } = await readYaml(`${base}/deployment.yaml`);
    const { volumeMounts } = spec.template.spec.containers[0];
    const dockerfile = await readText('../Dockerfile');
    const directory = /^WORKDIR (\/etc.*)$/m.exec(dockerfile)?.[1];
    expect(directory).toBeDefined();
    const mount = volumeMounts.find(({ name }: { name: string }) => name === 'supergraph');
    expect(mount).toEqual({ name: 'supergraph', mountPath: `${directory}/supergraph`, readOnly: true });
    const { supergraph } = await readYaml(`${base}/tributary.yaml`);
    expect(supergraph.file).toContain(':-supergraph/supergraph.graphql}');
  });

  test('wait longer for the end of a gateway than it drains', async () => {
    const { spec } = await readYaml(`${base}/deployment.yaml`);
    const { terminationGracePeriodSeconds } = await readYaml('helm/tributary/values.yaml');
    const unit = await readText('systemd/tributary.service');
    expect(spec.template.spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainMs);
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(drainMs);
    expect(Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1]) * 1_000).toBeGreaterThan(drainMs);
  });

  test("restart a gateway on a machine of one's own however often it fails, except for a wrong configuration", async () => {
    const unit = await readText('systemd/tributary.service');
    const section = (name: string) =>
      new RegExp(`^\\[${name}\\]$([\\s\\S]*?)(?=^\\[|$(?![\\s\\S]))`, 'm').exec(unit)?.[1];
    expect(section('Unit')).toMatch(/^StartLimitIntervalSec=0$/m);
    expect(section('Service')).toMatch(/^Restart=on-failure$/m);
    // The supervisor replaces a worker that the kernel has killed for memory.
    expect(section('Service')).toMatch(/^OOMPolicy=continue$/m);
    expect(section('Service')).toMatch(new RegExp(`^RestartPreventExitStatus=${exitCode.usageError}$`, 'm'));
  });

  // Its user owns nothing, and everything else is read-only for it.
  test("give a gateway on a machine of one's own a directory for recorded operations, which the pages name", async () => {
    const unit = await readText('systemd/tributary.service');
    const name = /^StateDirectory=(.+)$/m.exec(unit)?.[1];
    expect(name).toBeDefined();
    expect(await readText('../docs/production.md')).toContain(`\`/var/lib/${name}\``);
    expect(await readText('../docs/contracts.md')).toContain(`\`/var/lib/${name}/recorded-operations\``);
  });

  test("show which lines of the unit let a gateway on a machine of one's own read keys and use ports below 1024", async () => {
    const unit = await readText('systemd/tributary.service');
    const page = await readText('../docs/production.md');
    for (const line of ['SupplementaryGroups=ssl-cert', 'AmbientCapabilities=CAP_NET_BIND_SERVICE']) {
      expect(unit).toContain(`\n# ${line}\n`);
      expect(page).toContain(line.replace('AmbientCapabilities=', ''));
    }
  });

  test('select only the pods of the gateway', async () => {
    const labels = { 'app.kubernetes.io/name': 'tributary' };
    const { spec: budget } = await readYaml(`${base}/disruption-budget.yaml`);
    const { spec: policy } = await readYaml(`${base}/network-policy.yaml`);
    // kustomize does not add labels to an empty selector, which selects every pod of the namespace.
    expect(budget.selector.matchLabels).toEqual(labels);
    expect(policy.podSelector.matchLabels).toEqual(labels);
  });

  test.each([
    '169.254.169.254', // most clouds
    '100.100.100.200', // Alibaba Cloud
    'fe80::a9fe:a9fe', // OpenStack
    'fd00:ec2::254', // AWS
    'fd00:ec2::23', // AWS, credentials of pods
    'fd00:c1::a9fe:a9fe', // Oracle Cloud
    'fd20:ce::254', // Google Cloud
  ])('do not let gateways reach the metadata service %s', async (address) => {
    const { spec } = await readYaml(`${base}/network-policy.yaml`);
    const excepted = new BlockList();
    for (const { ipBlock } of spec.egress.at(-1).to) {
      for (const network of ipBlock.except) {
        const [start, prefix] = network.split('/');
        excepted.addSubnet(start, Number(prefix), `ipv${isIP(start) as 4 | 6}`);
      }
    }
    expect(excepted.check(address, `ipv${isIP(address) as 4 | 6}`)).toBe(true);
  });

  test('scale by a metric that the rule of the metrics adapter serves', async () => {
    const { patches } = await readYaml('kubernetes/components/queue-time/kustomization.yaml');
    const [{ value }] = parse(patches[0].patch);
    const { rules } = await readYaml('kubernetes/components/queue-time/adapter-rule.yaml');
    const [rule] = rules.custom;
    expect(value.pods.metric.name).toBe(rule.name.as);
    expect(rule.seriesQuery).toMatch(/^tributary_subgraph_queue_wait_seconds_sum\{/);
    expect(await readText('helm/tributary/templates/autoscaler.yaml')).toContain(`name: ${rule.name.as}`);
  });
});

test('the production overlay needs nothing but Kubernetes and metrics-server, and offers each component that needs more', async () => {
  const overlay = 'kubernetes/overlays/production/kustomization.yaml';
  expect((await readYaml(overlay)).components).toBeUndefined();
  const offered = (await readText(overlay)).matchAll(/^# {3}- \.\.\/\.\.\/components\/(.+)$/gm);
  const components = await readdir(join(deploy, 'kubernetes/components'));
  expect(Array.from(offered, ([, name]) => name).sort()).toEqual(components.sort());
});

describe('the Helm chart', () => {
  /** A template with these values in the blocks that insert them, and without its other actions. Helm itself renders the
   *  chart in the workflow `ci`. */
  async function renderInserted(template: string, values: Readonly<Record<string, unknown>>) {
    const text = await readText(`helm/tributary/templates/${template}`);
    const inserted = text.replaceAll(
      /^ *\{\{- with \.Values\.([\w.]+) \}\}\n *\{\{- toYaml \. \| nindent (\d+) \}\}\n *\{\{- end \}\}\n/gm,
      (_, path: string, indentation: string) =>
        values[path] === undefined
          ? ''
          : stringify(values[path]).replaceAll(/^(?=.)/gm, ' '.repeat(Number(indentation))),
    );
    return parse(inserted.replaceAll(/^ *\{\{.*\}\}\n/gm, '').replaceAll(/\{\{.*?\}\}/g, 'x'));
  }

  test('mounts the files of its user beside its own', async () => {
    const volumes = [{ name: 'tls', secret: { secretName: 'tls' } }];
    const volumeMounts = [{ name: 'tls', mountPath: '/etc/tributary/tls' }];
    const { spec } = await renderInserted('deployment.yaml', { volumes, volumeMounts });
    const own = ['config', 'supergraph', 'tmp'];
    const namesOf = (items: { name: string }[]) => items.map(({ name }) => name);
    expect(spec.template.spec.volumes).toEqual(expect.arrayContaining(volumes));
    expect(namesOf(spec.template.spec.volumes)).toEqual([...own, 'tls']);
    const [container] = spec.template.spec.containers;
    expect(container.volumeMounts).toEqual(expect.arrayContaining(volumeMounts));
    expect(namesOf(container.volumeMounts)).toEqual([...own, 'tls']);
  });

  test('lets gateways reach the further destinations of its user, and Prometheus select the monitor by a label', async () => {
    const egress = [{ ports: [{ protocol: 'TCP', port: 6380 }] }];
    const policy = await renderInserted('network-policy.yaml', { 'networkPolicy.egress': egress });
    const { spec } = await readYaml(`${base}/network-policy.yaml`);
    expect(policy.spec.egress).toEqual([...spec.egress, ...egress]);
    const elsewhere = spec.egress.at(-1).to.map(({ ipBlock }: { ipBlock: { cidr: string } }) => ipBlock.cidr);
    expect(elsewhere).toEqual(['0.0.0.0/0', '::/0']);
    const labels = { release: 'prometheus' };
    const monitor = await renderInserted('pod-monitor.yaml', { 'podMonitor.labels': labels });
    expect(monitor.metadata.labels).toEqual(labels);
  });

  test('has no `+` of a version in its labels, which Kubernetes would refuse', async () => {
    const versions = (await readText('helm/tributary/templates/_helpers.tpl')).matchAll(
      /\.(?:App)?Version.*/g,
    );
    const pipelines = Array.from(versions, ([pipeline]) => pipeline);
    expect(pipelines).toHaveLength(2);
    expect(pipelines.filter((pipeline) => !pipeline.includes('| replace "+" "_"'))).toEqual([]);
  });

  test('scales like the kustomize base', async () => {
    const { autoscaling } = await readYaml('helm/tributary/values.yaml');
    const { spec } = await readYaml(`${base}/autoscaler.yaml`);
    expect(autoscaling).toEqual({
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      cpuUtilization: spec.metrics[0].resource.target.averageUtilization,
      queueTime: 0,
    });
    expect((await readYaml('kubernetes/overlays/production/kustomization.yaml')).patches).toBeUndefined();
  });

  test('has the configuration of the kustomize base', async () => {
    const { config } = await readYaml('helm/tributary/values.yaml');
    expect(config).toEqual(await readYaml(`${base}/tributary.yaml`));
  });

  test('uses exactly the values that values.yaml explains', async () => {
    const values = await readYaml('helm/tributary/values.yaml');
    const used = new Set<string>();
    for await (const path of glob('helm/tributary/templates/*', { cwd: deploy })) {
      for (const [, name = ''] of (await readText(path)).matchAll(/\.Values\.([\w.]+)/g)) used.add(name);
    }
    const exists = (path: string) =>
      path
        .split('.')
        .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values) !==
      undefined;
    expect([...used].filter((path) => !exists(path))).toEqual([]);
    const usedSections = new Set(Array.from(used, (path) => path.split('.')[0]));
    expect(Object.keys(values).filter((name) => !usedSections.has(name))).toEqual([]);
  });
});
