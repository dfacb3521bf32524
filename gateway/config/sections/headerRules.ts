import { z } from 'zod';
import { isHeaderValue, nonBlankText, text } from '../scalars.ts';
import {
  forwardedHeaderName,
  headerProblem,
  nameProblem,
  readHeaderName,
  reasonNotToRespond,
  sentHeaderName,
} from './headerName.ts';

/** How the values of one response header are merged where several subgraphs, or several responses of one, have it. */
export type HeaderMerge = (typeof merges)[number];

const merges = ['first', 'last', 'append'] as const;

/** A response header of subgraphs that clients get. `name` in lower case. */
export interface RespondedHeader {
  readonly name: string;
  readonly merge: HeaderMerge;
}

const headerValue = text({
  title: 'secret',
  expected: 'a header value: printable characters without line breaks',
  isValid: isHeaderValue,
});

/** At most two repetitions, and none of a group: then matching takes at most the third power of the length of a name. */
const headerPattern = text({
  title: 'expression',
  expected:
    'a regular expression such as ^x-acme-, with at most two repetitions, none of them of a group, and without lookaround and back references',
  isValid: isSafePattern,
});

function isSafePattern(pattern: string): boolean {
  if (pattern === '' || pattern.length > 200 || !compiles(pattern)) return false;
  const plain = pattern
    .replace(/\\[^1-9k]/g, 'x')
    .replace(/\[[^\]]*\]/g, 'x')
    .replaceAll('(?:', '(');
  if (/\\|\(\?/.test(plain)) return false;
  const repetitions = plain.match(/[*+?]|\{\d*,?\d*\}/g) ?? [];
  return repetitions.length <= 2 && !/\)(?:[*+?]|\{\d)/.test(plain);
}

function compiles(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'i').source !== '';
  } catch {
    return false;
  }
}

/** The options that say what a rule does. Each rule has one of them. */
const actions = ['set', 'remove', 'rename', 'forward', 'forwardMatching'] as const;

const rule = z
  .strictObject({
    set: sentHeaderName
      .describe('Sends this header with `value` or `claim`, and ignores what the client sent under its name.')
      .optional(),
    value: headerValue
      .describe(
        'With `set`: the value. It may contain environment variables and texts of files. `config print` does not show it.',
      )
      .optional(),
    claim: nonBlankText('the name of a claim')
      .describe(
        "With `set`: the claim of the client's verified token (`security.jwt`) whose value is sent. Texts, numbers and flags are sent as they are, lists and sections as JSON. Without the claim, the header is not sent.",
      )
      .optional(),
    remove: sentHeaderName.describe('Does not send this header, and hides it from later rules.').optional(),
    rename: sentHeaderName
      .describe('Sends this header under the name in `to`, and not under its own.')
      .optional(),
    to: sentHeaderName
      .describe('With `rename`: the new name. A header that had it before is replaced, or not sent.')
      .optional(),
    forward: forwardedHeaderName.describe("Sends the client's header of this name.").optional(),
    forwardMatching: headerPattern
      .describe(
        "Sends the client's headers whose names (up to 64 characters, in any letter case) match this regular expression.",
      )
      .optional(),
  })
  .superRefine((input, { issues }) => {
    const report = (problem: string, message: string): void =>
      void issues.push({ code: 'custom', input, message, params: { problem } });
    const given = actions.filter((action) => input[action] !== undefined);
    if (given.length !== 1) {
      const names = given.map((action) => `\`${action}\``).join(' and ');
      const expected = `one of ${actions.map((action) => `\`${action}\``).join(', ')}`;
      report(given.length === 0 ? 'says nothing to do' : `has ${names}`, expected);
      return;
    }
    const [action] = given;
    const sources = [input.value, input.claim].filter((source) => source !== undefined);
    if (action === 'set' && sources.length !== 1)
      report(
        sources.length === 0
          ? 'has neither `value` nor `claim` for `set`'
          : 'has both `value` and `claim` for `set`',
        'one of them',
      );
    if (action !== 'set' && sources.length > 0)
      report(`has ${input.value === undefined ? '`claim`' : '`value`'} without \`set\``, '`set`');
    if (action === 'rename' && input.to === undefined) report('has no `to` for `rename`', 'a header name');
    if (action !== 'rename' && input.to !== undefined) report('has `to` without `rename`', '`rename`');
  });

const respondedHeader = z
  .custom<string | { readonly name: string; readonly merge?: HeaderMerge }>()
  .transform((input, { issues }): RespondedHeader => {
    const { name: given, merge, ...others } = typeof input === 'string' ? { name: input } : Object(input);
    const name = readHeaderName(given);
    const known = merges.find((candidate) => candidate === merge);
    if (
      name === undefined ||
      (merge !== undefined && known === undefined) ||
      Object.keys(others).length > 0
    ) {
      const message = `a header name, or { name, merge } with merge ${merges.join(', ')}`;
      issues.push(name === undefined ? nameProblem(given, message) : { code: 'custom', input, message });
      return z.NEVER;
    }
    const reason = reasonNotToRespond(name);
    const fixed = fixedMerges[name];
    if (reason !== undefined) issues.push(headerProblem(input, name, reason));
    else if (fixed !== undefined && merge !== undefined && merge !== fixed.merge)
      issues.push({
        code: 'custom',
        input,
        message: `${name} without merge`,
        params: { problem: `has merge ${merge} for ${name}, which ${fixed.reason}` },
      });
    return { name, merge: fixed?.merge ?? known ?? 'last' };
  })
  .meta({
    title: 'header name',
    anyOf: [
      { type: 'string' },
      {
        type: 'object',
        properties: { name: { type: 'string' }, merge: { enum: merges } },
        required: ['name'],
        additionalProperties: false,
      },
    ],
  });

/** Headers that are always merged in one way. */
const fixedMerges: Readonly<Record<string, { merge: HeaderMerge; reason: string }>> = {
  'set-cookie': { merge: 'append', reason: 'has a line for each cookie' },
  'cache-control': { merge: 'last', reason: 'is merged to the strictest' },
};

const forward = z
  .array(forwardedHeaderName)
  .describe(
    'Names of client headers that are forwarded. Clients share requests only if all headers that a subgraph gets are equal.',
  );
const rules = z
  .array(rule)
  .describe(
    'Rules for the headers that a subgraph gets, applied in order after `forward`. See [headers.md](headers.md).',
  );
const respond = z
  .array(respondedHeader)
  .describe(
    'Response headers that are sent to the client: a name, or `{ name, merge }`. `merge` says which value counts where several responses have one: `last` (the default), `first`, or `append` (all of them, joined by `, `). Every `set-cookie` is sent on; of `cache-control`, the strictest. See [headers.md](headers.md#response-headers).',
  );

/** `headers` of all subgraphs. */
export const allHeaderRules = z
  .strictObject({
    forward: forward.prefault(['authorization', 'accept-language']),
    rules: rules.prefault([]),
    respond: respond.prefault([]),
  })
  .prefault({});

/** `headers` of one subgraph. */
export const ownHeaderRules = z
  .strictObject({ forward: forward.optional(), rules: rules.optional(), respond: respond.optional() })
  .optional();
