import type { DocumentNode } from 'graphql';
import { tributarySpecUrl } from '../../gateway/planning/tributaryDirectives.ts';
import { type Link, readLinks } from './links.ts';

/** The meaning of the names in a subgraph. Elements of a specification have one canonical name, under any name that the
 *  subgraph gives them: `federation__key`, `tributary__cached`. */
interface SpecificationNames {
  readonly links: readonly Link[];
  /** The link to the federation specification; `undefined` for a schema of Federation 1. */
  readonly federation: Link | undefined;
  /** The canonical name of a directive, without `@`. Names that belong to no specification are unchanged. */
  canonicalDirectiveName(name: string): string;
  /** Whether a type exists only because a specification needs it. */
  isSpecificationType(type: string): boolean;
}

const apolloSpecs = 'https://specs.apollo.dev/';
const federationIdentity = `${apolloSpecs}federation`;

/** Features of federation that can also be linked to separately. */
const federationFeatures = new Set([
  'federation',
  'authenticated',
  'cacheTag',
  'context',
  'cost',
  'inaccessible',
  'policy',
  'requiresScopes',
  'tag',
]);

const federation1Directives = new Set(['extends', 'external', 'key', 'provides', 'requires', 'tag']);

/** Types that subgraph libraries add even if nothing is linked to. */
const libraryTypes = /^(_Any|_Entity|_Service|_?FieldSet|(federation|link|core)__.*)$/;

export function readSpecificationNames(document: DocumentNode): SpecificationNames {
  const links = readLinks(document);
  const federation = links.find(({ identity }) => identity === federationIdentity);
  return {
    links,
    federation,
    canonicalDirectiveName: (name) => {
      for (const link of links) {
        const element = directiveOf(link, name);
        if (element !== undefined) return `${specificationOf(link)}__${element}`;
      }
      return federation === undefined && federation1Directives.has(name) ? `federation__${name}` : name;
    },
    isSpecificationType: (type) =>
      libraryTypes.test(type) ||
      links.some(
        ({ identity, namespace, imports }) =>
          identity.startsWith(apolloSpecs) && (type.startsWith(`${namespace}__`) || imports.has(type)),
      ),
  };
}

/** Whether the gateway or the composer defines the directive with this canonical name. */
export function isKnownDirective(meaning: string): boolean {
  return /^(federation|tributary)__/.test(meaning) || languageDirectives.has(meaning);
}

const languageDirectives = new Set(['deprecated', 'include', 'link', 'core', 'oneOf', 'skip', 'specifiedBy']);

function directiveOf({ name, namespace, imports }: Link, directive: string): string | undefined {
  const imported = imports.get(`@${directive}`);
  if (imported !== undefined) return imported.slice(1);
  // The directive with a specification's own name needs no prefix.
  if (directive === namespace) return name;
  return directive.startsWith(`${namespace}__`) ? directive.slice(namespace.length + 2) : undefined;
}

function specificationOf({ identity, name }: Link): string {
  if (identity === tributarySpecUrl) return 'tributary';
  return identity.startsWith(apolloSpecs) && federationFeatures.has(name) ? 'federation' : name;
}
