import { type Section, sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import { asDuration, section, type Translate, to, unless } from './routerOptions.ts';

/** Translates `cors` of Apollo Router. */
export const translateCors: Translate = (value, source, draft) => {
  const { policies, ...general } = sectionOf(value);
  const rules = {
    allow_any_origin: (any: unknown) => {
      if (any === true) draft.set(['security', 'cors', 'origins'], ['*'], `${source}.allow_any_origin`);
    },
    allow_credentials: to('security.cors.credentials'),
    allow_headers: (names: unknown, at: string) => {
      // Without names, Apollo Router allows all headers.
      if (JSON.stringify(names) !== '[]') to('security.cors.allowHeaders')(names, at, draft);
    },
    expose_headers: to('security.cors.exposeHeaders'),
    max_age: to('security.cors.maxAge', asDuration),
    methods: unless([['GET', 'POST', 'OPTIONS']], 'the methods of the GraphQL route are fixed'),
  };
  section(rules)(general, source, draft);
  corsPolicies(Array.isArray(policies) ? policies.map(sectionOf) : [], rules, source, draft);
  // Here, preflight requests with other headers fail.
  if (draft.has(corsPath('origins')) && !draft.has(corsPath('allowHeaders')))
    draft.note(
      `${source}.allow_headers`,
      'Apollo Router allows all headers that a preflight request names: list those that pages send, such as sentry-trace, in security.cors.allowHeaders',
    );
};

const corsPath = (key: string): readonly string[] => ['security', 'cors', key];

/** The origins of all policies, and the other options of the first one. */
function corsPolicies(
  policies: readonly Section[],
  rules: Readonly<Record<string, Translate>>,
  source: string,
  draft: ConfigDraft,
): void {
  const origins = policies.flatMap((policy) => policy.origins ?? []);
  if (origins.length > 0) draft.set(corsPath('origins'), origins, `${source}.policies`);
  const [first, ...others] = policies.map(({ origins: _, match_origins: expressions, ...policy }, index) => {
    if (expressions !== undefined)
      draft.note(
        `${source}.policies[${index}].match_origins`,
        'expressions are not available: list these origins in security.cors.origins, with https://*.shop.example for subdomains',
      );
    return policy;
  });
  section(rules)(first, `${source}.policies[0]`, draft);
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(first)))
    draft.note(`${source}.policies`, 'all origins have one policy here, which is the first one');
}
