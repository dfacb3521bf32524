import { asFile, bySubgraph, section, type Translate, unneeded } from './routerOptions.ts';

export const tlsFiles = (prefix: readonly string[]): Record<string, Translate> => {
  const file =
    (key: string): Translate =>
    (value, source, draft) => {
      const converted = asFile(value);
      if (typeof converted !== 'string' || converted.includes('-----BEGIN'))
        draft.note(source, 'a certificate is a file here');
      else draft.set([...prefix, 'tls', key], converted, source);
    };
  return {
    certificate_chain: file('cert'),
    key: file('key'),
    certificate_authorities: file('ca'),
  };
};

/** Translates `tls.subgraph` of Apollo Router. */
export const translateSubgraphTls: Translate = bySubgraph((name) => {
  const files = tlsFiles(['subgraphs', name]);
  const { certificate_authorities: authorities = unneeded } = files;
  return { certificate_authorities: authorities, client_authentication: section(files) };
});
