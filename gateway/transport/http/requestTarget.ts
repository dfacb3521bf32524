import type { IncomingMessage } from 'node:http';

const slash = '/'.charCodeAt(0);

/** Changes a request whose target is in absolute form, `http://host/path`, into the usual one with a path. A server must
 *  accept both (RFC 9112, section 3.2.2). The host of the target replaces the `host` header. */
export function rewriteToOriginForm(request: IncomingMessage): void {
  const { url = '' } = request;
  if (url.charCodeAt(0) === slash) return;
  const target = parseAbsoluteForm(url);
  if (target === undefined) return;
  request.url = target.url;
  request.headers.host = target.host;
}

/** The path and the query string of a target in either form. */
export function originFormOf(url: string): string {
  return url.charCodeAt(0) === slash ? url : (parseAbsoluteForm(url)?.url ?? url);
}

/** A URL without its query string. */
export function pathOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? url : url.slice(0, mark);
}

function parseAbsoluteForm(target: string): { readonly host: string; readonly url: string } | undefined {
  const [, host, rest = ''] = /^https?:\/\/([^/?@]+)(.*)$/i.exec(target) ?? [];
  if (host === undefined) return undefined;
  return { host, url: rest.startsWith('/') ? rest : `/${rest}` };
}
