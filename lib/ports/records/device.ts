// What device lists hold: which names a device may have. A list proves nothing: whoever uses one has proven
// himself by something else.

import type { Author } from './transaction.ts';

/** By what a device may be known, each as its owner writes it. */
export type DeviceIdentifiers = {
  readonly serial?: string;
  readonly udid?: string;
  readonly mac?: string;
  readonly names?: readonly string[];
};

/** A row of a device list. It stands once for each of its identifiers, so that each finds it in one read. */
export type DeviceRecord = {
  readonly list: string;
  /** The first of its identifiers. */
  readonly id: string;
  readonly identifiers: DeviceIdentifiers;
  /** Absent means, as in a challenge: as the challenge and the profile allow. */
  readonly allows: {
    /** RFC 4514 text; patterns by attribute type, such as `CN`; `TYPE:VALUE` of subjectAltNames. */
    readonly subject?: string;
    readonly subjectPattern?: Readonly<Record<string, readonly string[]>>;
    readonly names: readonly string[];
    /** `TYPE:PATTERN` of subjectAltNames that a request may give itself. */
    readonly namePatterns?: readonly string[];
  };
  readonly owner?: string;
  /** Counts its writes; `DeviceVersion` has the same count while it is the newest. */
  readonly version: number;
  readonly at: number;
  readonly by: Author;
  /** Removed from the list, then and by them; or this identifier alone from its device. */
  readonly removed?: Author & { readonly at: number; readonly identifier?: true };
};

/** The newest version of the row under the same key: an older one, put back, is not it. */
export type DeviceVersion = { readonly version: number };
