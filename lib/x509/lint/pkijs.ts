// A certificate as pkijs reads it, a parser that we did not write. It takes a millisecond and a quarter
// of the bundle, so this is loaded when it is asked for (`certificate.ts`, `issued.ts`).

import { type BaseBlock, fromBER, Utf8String } from 'asn1js';
import { Certificate, type RelativeDistinguishedNames } from 'pkijs';
import { content, context, type Element, oid, raw, scan, tag } from '../../asn1/reader.ts';
import { type Bytes, equal } from '../../base/bytes.ts';
import { Malformed } from '../../base/errors.ts';
import { type Attribute, type Reading, stringTags } from './rule.ts';

/**
 * `Certificate.fromBER` by its two steps, so that nothing is looked for inside octet and bit strings: no
 * rule asks pkijs for what it would find there, and it takes a fifth of its time.
 * @param der a Certificate, of which the signature is not looked at
 * @param tbs the TBSCertificate in it
 * @throws when pkijs cannot read it
 */
export function readByPkijs(der: Bytes, tbs: Bytes): Reading {
  const certificate = new Certificate({ schema: decoded(der) });
  if (!equal(certificate.tbsView, tbs)) throw new Malformed('not the TBSCertificate');
  const { subjectPublicKeyInfo: key, extensions = [] } = certificate;
  return {
    version: certificate.version,
    serial: new Uint8Array(certificate.serialNumber.valueBlock.valueHexView),
    signature: certificate.signature.algorithmId,
    issuer: new Uint8Array(certificate.issuer.valueBeforeDecode),
    notBefore: certificate.notBefore.value.getTime(),
    notAfter: certificate.notAfter.value.getTime(),
    subject: attributesOf(certificate.subject),
    keyType: key.algorithm.algorithmId,
    subjectPublicKey: new Uint8Array(key.subjectPublicKey.valueBlock.valueHexView),
    extensions: new Map(
      extensions.map(({ extnID, critical, extnValue }) => {
        return [extnID, { critical, value: scan(new Uint8Array(extnValue.getValue())) }];
      }),
    ),
    hasNames: pkijsHasNames,
  };
}

/** @throws {Malformed} for what is not one encoding */
function decoded(octets: Bytes) {
  const { offset, result } = fromBER(octets, { parseEmbedded: false, copyInput: false });
  if (offset !== octets.length) throw new Malformed('not one encoding');
  return result;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function attributesOf({ typesAndValues }: RelativeDistinguishedNames): Attribute[] {
  return typesAndValues.map(({ type, value }) => {
    const string = stringTags.find((each) => each === value.idBlock.tagNumber);
    if (value.idBlock.tagClass !== 1 || string === undefined) {
      return { type, string: undefined, text: '' };
    }
    // asn1js reads a UTF8String that is not UTF-8 as Latin-1 and says nothing.
    const text =
      value instanceof Utf8String
        ? utf8.decode(value.valueBlock.valueHexView)
        : value.valueBlock.value;
    return { type, string, text: typeof text === 'string' ? text : '' };
  });
}

/**
 * Whether asn1js, with which pkijs reads, finds in a GeneralNames what our own reader finds there. The
 * schemas that pkijs holds it against cost a third of a millisecond a name and say no more than this.
 */
export function pkijsHasNames(names: Element): boolean {
  const areNames = names.children.every(({ tag: identifier, children: [type, value, ...more] }) => {
    if (identifier !== context(0)) return (identifier & CONTEXT) !== 0;
    return type?.tag === tag.oid && value?.tag === context(0) && more.length === 0;
  });
  if (names.tag !== tag.sequence || names.children.length === 0 || !areNames) return false;
  try {
    return isSame(decoded(new Uint8Array(raw(names))), names);
  } catch {
    return false; // asn1js cannot read it
  }
}

const CONTEXT = 0x80;

function isSame({ idBlock, valueBlock }: BaseBlock, element: Element): boolean {
  const { tagClass, tagNumber, isConstructed } = idBlock;
  const identifier = ((tagClass - 1) << 6) | (isConstructed ? 0x20 : 0) | tagNumber;
  if (identifier !== element.tag) return false;
  if (isConstructed) {
    const parts: unknown = 'value' in valueBlock ? valueBlock.value : undefined;
    return (
      Array.isArray(parts) &&
      parts.length === element.children.length &&
      element.children.every((child, i) => isSame(parts[i], child))
    );
  }
  if (identifier === tag.oid) return valueBlock.toString() === oid(element);
  const octets = 'valueHexView' in valueBlock ? valueBlock.valueHexView : undefined;
  return octets instanceof Uint8Array && equal(octets, content(element));
}
