import { abstractTypes } from './abstractTypes.ts';
import { combined } from './combined.ts';
import { composedDirectives } from './composedDirectives.ts';
import { contexts } from './contexts.ts';
import { differingInputs } from './differingInputs.ts';
import { federationOne } from './federationOne.ts';
import type { Graph } from './framework/graph.ts';
import { inaccessible } from './inaccessible.ts';
import { interfaceObjectChain } from './interfaceObjectChain.ts';
import { interfaceObjectRequires } from './interfaceObjectRequires.ts';
import { interfaceObjects } from './interfaceObjects.ts';
import { keys } from './keys.ts';
import { loneMembers } from './loneMembers.ts';
import { missingEntities } from './missingEntities.ts';
import { mutations } from './mutations.ts';
import { nonNull } from './nonNull.ts';
import { overrides } from './overrides.ts';
import { partialInputs } from './partialInputs.ts';
import { provides } from './provides.ts';
import { requiresAbstract } from './requiresAbstract.ts';
import { requiresArguments } from './requiresArguments.ts';
import { requiresChain } from './requiresChain.ts';
import { requiresCircular } from './requiresCircular.ts';
import { sharedRoots } from './sharedRoots.ts';
import { typeBranches } from './typeBranches.ts';
import { unresolvableKeys } from './unresolvableKeys.ts';
import { values } from './values.ts';

export const graphs: readonly Graph[] = [
  abstractTypes,
  combined,
  composedDirectives,
  contexts,
  differingInputs,
  federationOne,
  inaccessible,
  interfaceObjectChain,
  interfaceObjectRequires,
  interfaceObjects,
  keys,
  loneMembers,
  missingEntities,
  mutations,
  nonNull,
  overrides,
  partialInputs,
  provides,
  requiresAbstract,
  requiresArguments,
  requiresChain,
  requiresCircular,
  sharedRoots,
  typeBranches,
  unresolvableKeys,
  values,
];
