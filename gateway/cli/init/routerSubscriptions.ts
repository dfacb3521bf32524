import { isSection, sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import { asDuration, bySubgraph, noteKeys, type Translate, to, toSubgraph } from './routerOptions.ts';

/** The address of callbacks with their path, which Apollo Router has from `path`. */
function callbackUrl(url: unknown, path: unknown, source: string, draft: ConfigDraft): void {
  if (typeof url !== 'string') {
    draft.note(source, `the value ${JSON.stringify(url)} cannot be translated`);
    return;
  }
  const address = url.replace(/\/+$/, '');
  const suffix = [path, '/callback'].find(
    (candidate) => typeof candidate === 'string' && candidate.length > 1 && address.endsWith(candidate),
  );
  const base = address.slice(0, address.length - String(suffix ?? '').length);
  to('listen.publicUrl')(base, source, draft);
  if (suffix === undefined || !/^(https?:\/\/)?[^/]+$/.test(base))
    draft.note(
      source,
      `subgraphs send callbacks to ${base}/callback/…: route these to /callback/… of the public listener`,
    );
}

/** Apollo Router also accepts `enable` and `disable`. Its interval is 10 s when only enabled. */
const translateHeartbeat: Translate = (value, source, draft) => {
  if (draft.has(['subscriptions', 'heartbeat']))
    draft.note(source, 'WebSockets and callbacks have one interval here: subscriptions.heartbeat');
  else
    to('subscriptions.heartbeat', (interval) => {
      if (/^disabled?$/.test(String(interval))) return '0s';
      return /^enabled?$/.test(String(interval)) ? '10s' : asDuration(interval);
    })(value, source, draft);
};

/** Translates `subscription.mode` of Apollo Router. */
export const translateSubscriptionMode: Translate = (value, source, draft) => {
  const { passthrough, callback, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  bySubgraph((name) => ({
    path: toSubgraph(name, 'subscription.path'),
    // Both names are WebSocket protocols; `graphql_transport_ws` is of an older library.
    protocol: (given, at, target) => {
      if (given === 'graphql_ws' || given === undefined)
        target.set(['subgraphs', name, 'subscription', 'protocol'], 'graphql_ws', at);
      else target.note(at, `the protocol ${JSON.stringify(given)} is not available; graphql_ws is`);
    },
    ...(name === 'all' && { heartbeat_interval: translateHeartbeat }),
  }))(passthrough, `${source}.passthrough`, draft);
  if (!isSection(callback)) return;
  const { subgraphs, public_url: publicUrl, heartbeat_interval: heartbeat, ...rest } = callback;
  if (publicUrl !== undefined) callbackUrl(publicUrl, rest.path, `${source}.callback.public_url`, draft);
  if (heartbeat !== undefined) translateHeartbeat(heartbeat, `${source}.callback.heartbeat_interval`, draft);
  for (const key of Object.keys(rest))
    draft.note(`${source}.callback.${key}`, 'callbacks arrive at /callback/… of the public listener');
  for (const name of Array.isArray(subgraphs) ? subgraphs : [])
    draft.set(
      ['subgraphs', String(name), 'subscription', 'protocol'],
      'http_callback',
      `${source}.callback.subgraphs`,
    );
};
