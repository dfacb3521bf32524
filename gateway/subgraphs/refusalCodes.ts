/** Error codes with which a subgraph rejects a request without having failed itself. */
const refusalCodes: ReadonlySet<unknown> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'NOT_FOUND',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** Whether an error with this `extensions.code` says that the request was at fault, and not the subgraph. */
export function isRefusalCode(code: unknown): boolean {
  return refusalCodes.has(code);
}
