import { unescape as percentDecode } from 'node:querystring';
import { isDeepStrictEqual } from 'node:util';
import { sectionOf } from '../../config/isSection.ts';
import type { Translate } from './routerOptions.ts';

/** Values by their keys in the section `redis`. The servers are first. */
type RedisOptions = readonly (readonly [key: string, value: unknown])[];

/** Text without some characters, which a reference such as `${NAME:-a@b}` may have. */
const textWithout = (characters: string): string => `(?:\\$\\{[^}]*\\}|[^${characters}])*`;

/** `redis-cluster://user:password@host:6379?node=other:6379` or `redis-sentinel://…/0?sentinelServiceName=name`. */
const addressOfNodes = new RegExp(
  `^(rediss?)-(cluster|sentinel)://(?:(${textWithout('@/?')})@)?(${textWithout('/?')})/?(${textWithout('?')})(?:\\?(.*))?$`,
);

/** Translates the Redis of one feature to the one for everything: a server, a Cluster or Sentinels. */
export const translateRedis: Translate = (value, source, draft) => {
  const { urls, ttl: _, ...others } = sectionOf(value);
  const addresses = (Array.isArray(urls) ? urls : []).filter((url) => typeof url === 'string');
  if (addresses.length === 0) return;
  const at = `${source}.urls`;
  const options = nodeOptionsOf(addresses) ?? [['url', addresses[0]]];
  const [[serversKey, servers]] = options as [RedisOptions[number]];
  const pathOf = (key: string) => ['redis', ...key.split('.')];
  const earlier = ['url', 'cluster.nodes', 'sentinel.nodes'].find((key) => draft.has(pathOf(key)));
  if (earlier === undefined) for (const [key, own] of options) draft.set(pathOf(key), own, at);
  else if (earlier !== serversKey || !isDeepStrictEqual(draft.get(pathOf(earlier)), servers))
    draft.note(at, `is another Redis than redis.${earlier}, and the gateway has one for everything`);
  if (serversKey === 'url' && addresses.length > 1)
    draft.note(at, 'several addresses: set redis.cluster.nodes or redis.sentinel instead of redis.url');
  if (options.some(([key, own]) => /username|password/.test(key) && String(own).includes('${')))
    draft.note(
      at,
      'user names and passwords outside of an address are not percent-encoded: check the variables',
    );
  if (Object.keys(others).length > 0)
    draft.note(source, `see the section redis for: ${Object.keys(others).join(', ')}`);
};

/** The options for the nodes of a Cluster or for Sentinels; `undefined` for the address of one server. */
function nodeOptionsOf(addresses: readonly string[]): RedisOptions | undefined {
  const parsed = addresses.flatMap((address) => {
    const [, scheme, kind, userInfo = '', host = '', database, query] = addressOfNodes.exec(address) ?? [];
    return kind === undefined
      ? []
      : [{ scheme, kind, userInfo, host, database, query: new URLSearchParams(query) }];
  });
  const [first] = parsed;
  if (first === undefined || parsed.length < addresses.length) return undefined;
  const { scheme, kind, userInfo, database, query } = first;
  const [, username = '', password = ''] = new RegExp(`^(${textWithout(':')}):?(.*)$`).exec(userInfo) ?? [];
  const nodes = parsed.flatMap(({ host, query: own }) => [host, ...own.getAll('node')]);
  const given: RedisOptions = [
    [`${kind}.nodes`, [...new Set(nodes.map(withPort))]],
    ['sentinel.name', query.get('sentinelServiceName')],
    ['sentinel.username', query.get('sentinelUsername')],
    ['sentinel.password', query.get('sentinelPassword')],
    ['username', percentDecode(username)],
    ['password', percentDecode(password)],
    ['database', kind === 'sentinel' ? database : undefined],
    ['tls.enabled', scheme === 'rediss' || undefined],
  ];
  return given.filter(([, value]) => value !== undefined && value !== null && value !== '');
}

/** A node with the default port of Redis if it has none. */
const withPort = (node: string): string =>
  /:(\d+|\$\{[^}]*\})$|^\$\{[^}]*\}$/.test(node) ? node : `${node}:6379`;
