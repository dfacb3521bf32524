import { type Section, sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import {
  asDuration,
  lowerCase,
  noteKeys,
  section,
  seeGuide,
  type Translate,
  to,
  unless,
} from './routerOptions.ts';

const issuersPath = ['security', 'jwt', 'issuers'];
const cookiePath = ['security', 'jwt', 'cookie'];

/** Translates `authentication.router.jwt` of Apollo Router. */
export const translateJwt: Translate = (value, source, draft) => {
  const { jwks, sources, header_value_prefix: prefix, ...others } = sectionOf(value);
  const issuers = (Array.isArray(jwks) ? jwks : []).flatMap((entry, index) =>
    issuersOf(sectionOf(entry), `${source}.jwks[${index}]`, draft),
  );
  if (issuers.length > 0) draft.set(issuersPath, issuers, `${source}.jwks`);
  draft.requireList(
    issuersPath,
    source,
    `Nothing was written: Apollo Router verifies tokens, but no key set of ${source} can be translated, and clients would not be authenticated. Change it, or remove it and set security.jwt in the written file by hand.`,
  );
  if (prefix !== undefined) unless(['Bearer'])(prefix, `${source}.header_value_prefix`, draft);
  for (const [index, entry] of (Array.isArray(sources) ? sources : []).entries())
    tokenSource(entry, `${source}.sources[${index}]`, draft);
  section({
    header_name: to('security.jwt.header', lowerCase),
    on_error: unless(['Error'], 'requests with an invalid token are always refused'),
  })(others, source, draft);
};

/** Apollo Router reads tokens of `sources` besides those in `header_name`. Here, one cookie can be besides one header. */
const tokenSource: Translate = (value, source, draft) => {
  const { type, name, value_prefix: prefix, ...others } = sectionOf(value);
  noteKeys(others, source, draft);
  if (prefix !== undefined) draft.note(`${source}.value_prefix`, 'a prefix of tokens is not available');
  if (type === 'header')
    draft.note(
      source,
      `tokens in the header ${name} are not read: there is one header for tokens, security.jwt.header`,
    );
  else if (type !== 'cookie') draft.note(source, seeGuide);
  else if (draft.has(cookiePath))
    draft.note(
      source,
      `tokens in the cookie ${name} are not read: there is one cookie for tokens, security.jwt.cookie`,
    );
  else to(cookiePath.join('.'))(name, source, draft);
};

/** Translates `authorization.require_authentication` of Apollo Router. */
export const translateRequireAuthentication: Translate = (value, source, draft) => {
  if (value === false) return;
  to('security.jwt.required')(value, source, draft);
  draft.requireList(
    issuersPath,
    source,
    `Nothing was written: ${source} needs verified tokens, but the configuration has no authentication.router.jwt. Remove ${source}, and set security.jwt in the written file by hand.`,
  );
};

/** The issuers of one key set. Apollo Router accepts several for a key set; here each has an entry. */
function issuersOf(entry: Section, source: string, draft: ConfigDraft): Section[] {
  const { url, issuer: only, audiences, algorithms, headers, poll_interval: pollInterval, ...rest } = entry;
  // Apollo Router 1 has `issuer`, which version 2 still reads.
  const { issuers = only, ...others } = rest;
  noteKeys(others, source, draft);
  if (typeof url !== 'string' || url.startsWith('file:')) {
    draft.note(`${source}.url`, 'keys are fetched over HTTP only');
    return [];
  }
  if (pollInterval !== undefined)
    to('security.jwt.refreshInterval', asDuration)(pollInterval, `${source}.poll_interval`, draft);
  const named = isGiven(headers) ? { headers: keyHeadersOf(headers, `${source}.headers`, draft) } : {};
  const names: readonly unknown[] = Array.isArray(issuers) ? issuers : [issuers ?? undefined];
  return (names.length === 0 ? [undefined] : names).map((issuer) => ({
    jwks: url,
    ...(issuer === undefined ? {} : { issuer }),
    // Wrong values are not omitted: without them, more tokens would be accepted.
    ...(isGiven(audiences) ? { audiences } : {}),
    ...(isGiven(algorithms) ? { algorithms } : {}),
    ...named,
  }));
}

function keyHeadersOf(headers: unknown, source: string, draft: ConfigDraft): Record<string, unknown> {
  const entries = (Array.isArray(headers) ? headers : [headers]).flatMap(
    (header, index): [string, unknown][] => {
      const { name, value } = sectionOf(header);
      if (typeof name === 'string') return [[name, value]];
      // Not quoted: it may be a secret.
      draft.note(`${source}[${index}]`, 'has no name');
      return [];
    },
  );
  return Object.fromEntries(entries);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
