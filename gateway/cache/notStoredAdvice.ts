/** Why values with a cache rule are not stored, and what to do about each reason. The table under "Nothing is cached?" in
 *  docs/caching.md has the same texts. */
const advices: readonly (readonly [reason: RegExp, advice: string])[] = [
  [
    /^Cache-Control: no-store$/,
    'Apollo Server sends no-store for each field without @cacheControl. Add the subgraph to cache.ignoreSubgraphNoStore, or give ApolloServerPluginCacheControl the option calculateHttpHeaders: false in the subgraph.',
  ],
  [/^Cache-Control: no-cache$/, 'Change the header in the subgraph.'],
  [
    / has no rule$/,
    'One field without a rule makes the whole fetch uncacheable. A rule for a type does not cover the root field that returns it. Add a rule for the field, or none if it shall not be cached.',
  ],
  [/^the shortest maxAge is 0s$/, 'Give the field with the shortest maxAge a longer one.'],
  [
    / is private, and the request has no identity$/,
    'Configure security.jwt or security.identity, and send the token or the header. Otherwise make the rule PUBLIC, or do not send private.',
  ],
  [
    /^the value has already expired$/,
    'Raise max-age or s-maxage of the subgraph, or lower its Age. A null value needs a cache.nullMaxAge above 0s.',
  ],
  [/^the value is larger than cache\.maxEntrySize$/, 'Raise the limit, or select less.'],
  [
    /^the schema forbids the value of /,
    'The subgraph sends a value that its schema does not allow. Correct its resolver.',
  ],
  [
    /^the response has errors$/,
    'Responses with errors are never stored. The errors are in the response to the client, and their codes in docs/errors.md.',
  ],
  [
    /^the response has no value and no error$/,
    'The subgraph leaves out a field that the gateway selects. Check that it serves the schema of the supergraph.',
  ],
  [
    /^the response sets a cookie/,
    'Cookies of such a subgraph belong to one client. Remove set-cookie from headers.respond, or from the responses of the subgraph.',
  ],
  [
    /^Cache-Control|^Age: |^extensions\.cacheTags /,
    'The subgraph sends metadata that cannot be parsed. Correct the header or the extension.',
  ],
];

/** What to do about a reason; `undefined` if it is not known. */
export function findAdvice(reason: string): string | undefined {
  return advices.find(([pattern]) => pattern.test(reason))?.[1];
}
