import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { type Section, sectionOf } from './isSection.ts';
import { isFalse } from './isTrue.ts';

/** Checks the rules of each subgraph about its certificate and its signature, with what it inherits from `all`. Reported
 *  where a section sets one of the options. */
export function checkSubgraphHeaders(subgraphs: Section): ConfigProblem[] {
  return Object.keys({ all: {}, ...subgraphs }).flatMap((name) => [
    ...checkCertificate(subgraphs, name),
    ...checkSignature(subgraphs, name),
  ]);
}

function checkCertificate(subgraphs: Section, name: string): ConfigProblem[] {
  const { cert = '', key = '' } = effective(subgraphs, name, 'tls');
  const own = sectionOf(sectionOf(subgraphs[name]).tls);
  if ((cert === '') === (key === '') || (own.cert === undefined && own.key === undefined)) return [];
  const [has, lacks] = cert === '' ? ['key', 'cert'] : ['cert', 'key'];
  return [
    {
      path: formatConfigPath(['subgraphs', name, 'tls', lacks]),
      message: `is missing, and \`${has}\` is set`,
      expected: 'both the certificate and its key, or neither',
    },
  ];
}

function checkSignature(subgraphs: Section, name: string): ConfigProblem[] {
  const { enabled, secret, header = 'x-tributary-signature' } = effective(subgraphs, name, 'signing');
  if (isFalse(enabled)) return [];
  if (typeof secret !== 'string' || secret === '' || typeof header !== 'string') return [];
  const { forward, rules } = effective(subgraphs, name, 'headers');
  const names = [
    ...(Array.isArray(forward) ? forward : []),
    ...(Array.isArray(rules) ? rules : []).flatMap((rule: unknown) => {
      const { set, to, forward: forwarded } = sectionOf(rule);
      return [set, to, forwarded];
    }),
  ];
  const isSet = names.some(
    (given) => typeof given === 'string' && given.toLowerCase() === header.toLowerCase(),
  );
  const { headers, signing } = sectionOf(subgraphs[name]);
  if (!isSet || (headers === undefined && signing === undefined)) return [];
  return [
    {
      path: formatConfigPath(['subgraphs', name, 'signing', 'header']),
      message: `is ${JSON.stringify(header)}, which \`headers\` of the subgraph sets or forwards`,
      expected: 'a header that nothing else writes',
    },
  ];
}

function effective(subgraphs: Section, name: string, section: string): Section {
  return {
    ...sectionOf(sectionOf(subgraphs.all)[section]),
    ...sectionOf(sectionOf(subgraphs[name])[section]),
  };
}
