import { DeferDirectiveLabelRule, DeferDirectiveOnRootFieldRule } from './deferDirectiveRules.ts';
import { FloatLiteralsRule } from './floatLiteralsRule.ts';

/** What the gateway requires of an operation besides the rules of the GraphQL specification. */
export const gatewayValidationRules = [
  DeferDirectiveLabelRule,
  DeferDirectiveOnRootFieldRule,
  FloatLiteralsRule,
];
