import { sectionOf } from '../../config/isSection.ts';
import type { ConfigDraft } from './configDraft.ts';
import { asDuration, note, readFlag, seeGuide, type Translate, to, unless } from './routerOptions.ts';

const originsPath = ['security', 'cors', 'origins'];

const rules: Readonly<Record<string, Translate>> = {
  allow_any_origin: (value, source, draft) => {
    if (!readFlag(value, false, source, draft)) return;
    if (draft.has(originsPath)) draft.note(source, 'only the origins of the policies are allowed');
    else draft.set(originsPath, ['*'], source);
  },
  allow_credentials: to('security.cors.credentials'),
  allow_headers: (names, source, draft) => {
    // Without names, Apollo Router allows all headers. Here, preflight requests with other headers fail.
    if (isListed(names)) to('security.cors.allowHeaders')(names, source, draft);
    else if (draft.has(originsPath))
      draft.note(
        source,
        'Apollo Router allows all headers that a preflight request names: list those that pages send, such as sentry-trace, in security.cors.allowHeaders',
      );
  },
  expose_headers: to('security.cors.exposeHeaders'),
  max_age: to('security.cors.maxAge', asDuration),
  methods: unless([['GET', 'POST', 'OPTIONS']], 'the methods of the GraphQL route are fixed'),
};

/** What no origin gets more from than it has in Apollo Router, by the options in which policies may differ. */
const strictest: Readonly<
  Record<string, { readonly key: string; readonly merge: (values: readonly unknown[]) => unknown }>
> = {
  allow_credentials: { key: 'credentials', merge: () => false },
  allow_headers: { key: 'allowHeaders', merge: (lists) => namesInAll(lists.filter(isListed)) },
  expose_headers: { key: 'exposeHeaders', merge: (lists) => namesInAll(lists) },
  max_age: { key: 'maxAge', merge: () => '0s' },
};

/** Translates `cors` of Apollo Router, where each policy may have options of its own. Here, all origins have the same. */
export const translateCors: Translate = (value, source, draft) => {
  const { policies: given, origins: ofAll, match_origins: matched, ...general } = sectionOf(value);
  // Apollo Router before 2.4 has one policy, whose origins are beside its options.
  const isFlat = ofAll !== undefined || matched !== undefined;
  const listed = isFlat ? [{ origins: ofAll, match_origins: matched }] : given;
  const policies = (Array.isArray(listed) ? listed : []).map((policy, index) => {
    const { origins, match_origins: expressions, ...options } = sectionOf(policy);
    if (expressions !== undefined)
      draft.note(
        `${source}.policies[${index}].match_origins`,
        'expressions are not available: list these origins in security.cors.origins, with https://*.shop.example for subdomains',
      );
    return { origins: origins ?? [], options };
  });
  const origins = policies.flatMap((policy) => policy.origins);
  if (origins.length > 0) draft.set(originsPath, origins, `${source}.policies`);

  const ofPolicies = policies.length > 0 ? policies.map(({ options }) => options) : [{}];
  const keys = [general, ...ofPolicies].flatMap((options) => Object.keys(options));
  for (const key of new Set(['allow_any_origin', ...keys, 'allow_headers'])) {
    // A policy without an option has the general one.
    const values = ofPolicies.map((options) => (isEmpty(options[key]) ? general[key] : options[key]));
    const texts = values.map((own) => JSON.stringify(isEmpty(own) ? false : own));
    if (new Set(texts).size === 1) (rules[key] ?? note(seeGuide))(values[0], `${source}.${key}`, draft);
    else translateDifferent(key, values, `${source}.policies`, draft);
  }
};

function translateDifferent(
  key: string,
  values: readonly unknown[],
  source: string,
  draft: ConfigDraft,
): void {
  const { key: option, merge } = strictest[key] ?? {};
  if (option === undefined || merge === undefined) {
    draft.note(`${source}.${key}`, seeGuide);
    return;
  }
  const value = merge(values);
  draft.set(['security', 'cors', option], value, source);
  draft.note(
    source,
    `the policies differ in ${key}, and all origins have one policy here: security.cors.${option} is ${JSON.stringify(value)}, so that no origin may do more than before`,
  );
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function isListed(value: unknown): boolean {
  return !isEmpty(value);
}

function namesInAll(lists: readonly unknown[]): readonly unknown[] {
  const [first = [], ...others] = lists.map((list) => (Array.isArray(list) ? list : []));
  return first.filter((name) => others.every((other) => other.includes(name)));
}
