// Values in the configuration of Apollo Router.

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const unitNames: Readonly<Record<string, string>> = {
  nsec: 'ns',
  usec: 'us',
  msec: 'ms',
  millis: 'ms',
  sec: 's',
  second: 's',
  min: 'm',
  minute: 'm',
  hr: 'h',
  hour: 'h',
  day: 'd',
  week: 'w',
};

/** Milliseconds of a duration such as `10s`, `1h 30m` or `5minutes`; `undefined` for anything else. */
export function routerDurationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/\s*(\d+)\s*([a-z]+)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined;
  let total = 0;
  for (const [, count, name = ''] of parts) {
    const singular = name.length > 2 ? name.replace(/s$/, '') : name;
    const factor = unitMs[name] ?? unitMs[unitNames[singular] ?? ''];
    if (factor === undefined) return undefined;
    total += Number(count) * factor;
  }
  return Math.round(total);
}

/** Host and port of `127.0.0.1:4000`, `[::1]:4000` or `${HOST:-0.0.0.0}:${PORT:-4000}`; `undefined` for anything else,
 *  such as a Unix socket. */
export function routerAddress(text: string): { readonly host: string; readonly port: string } | undefined {
  const [, host, port] = /^(.+):(\d+|\$\{[^}]+\})$/.exec(text) ?? [];
  if (host === undefined || port === undefined || host.includes('/')) return undefined;
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}

/** The path of `${file:/etc/key.pem}`, or a text as it is. */
export function routerFile(text: string): string {
  return /^\$\{file:(.*)\}$/.exec(text)?.[1] ?? text;
}

/** Replaces `${env.NAME}` by `${NAME}` and `${file.PATH}` by `${file:PATH}` in all texts. `toPath`: converts paths. */
export function replaceRouterVariables(value: unknown, toPath: (path: string) => string): unknown {
  if (typeof value === 'string') {
    return value
      .replaceAll(/\$\{env\.(?=[A-Za-z_]\w*(?::-[^}]*)?\})/g, '$${')
      .replaceAll(/\$\{file\.([^}]+?)(?=:-|\})/g, (_, path: string) => `\${file:${toPath(path)}`);
  }
  if (Array.isArray(value)) return value.map((item) => replaceRouterVariables(item, toPath));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, replaceRouterVariables(child, toPath)]),
  );
}
