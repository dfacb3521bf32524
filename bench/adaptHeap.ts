/** Preloaded by the other programs, so that their young generation is collected as that of Tributary is. */
import { adaptYoungCollections } from '../gateway/cli/youngCollections.ts';

adaptYoungCollections();
