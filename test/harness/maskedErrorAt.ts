export const maskedError = {
  message: 'A subgraph answered with an error.',
  extensions: { code: 'SUBGRAPH_ERROR' },
};

/** The error of a subgraph as clients get it by default, with its keys in the order of the response. */
export function maskedErrorAt(...path: (string | number)[]) {
  const { message, extensions } = maskedError;
  return { message, path, extensions };
}
