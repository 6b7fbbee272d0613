// Who may write to a directory of Windows, by its security descriptor. What PowerShell
// tells has not been read on a Windows so far; test/systems/access.test.ts does it there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDescriptor, whoElseWrites } from "../../src/platform/security-descriptor.ts";

const ME = "S-1-5-21-1004336348-1177238915-682003330-1001";
const OTHER = "S-1-5-21-1004336348-1177238915-682003330-1002";
const INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/** What Windows has by default, and what icacls makes. */
const DESCRIPTORS = {
  root: `O:${INSTALLER}D:PAI(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)`,
  inProfile: `O:${ME}D:(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;${ME})`,
  madeOnDrive: `O:${ME}D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)`,
  madeOwn: `O:${ME}D:PAI(A;OICI;FA;;;${ME})`,
  byAdministrator: `O:BAG:DUD:PAI(A;OICI;FA;;;${ME})(A;OICIIO;FA;;;CO)(A;OICI;FA;;;OW)S:AI`,
  temporary: `O:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;CI;DCLCFX;;;BU)(A;OICIIO;GA;;;CO)`,
};

const who = (text: string, what: "itself" | "above" | "root" = "itself", me = ME) => {
  const descriptor = parseDescriptor(text);
  assert.ok(descriptor, text);
  return whoElseWrites(descriptor, me, what);
};

test("a directory to which this user, the system and administrators write is nobody else's", () => {
  for (const name of ["inProfile", "madeOwn", "byAdministrator"] as const)
    assert.equal(who(DESCRIPTORS[name]), undefined, name);
  assert.equal(who(`O:LAD:P(A;OICI;FA;;;LA)(A;;FA;;;${INSTALLER})`), undefined);
  assert.equal(who("O:LSD:P(A;OICI;FA;;;LS)", "itself", "S-1-5-19"), undefined, "a service of that account");
});

test("one to which a group or another account may write is not, also where only what is in it is theirs", () => {
  assert.equal(who(DESCRIPTORS.madeOnDrive), "Authenticated Users (S-1-5-11)");
  assert.equal(who(DESCRIPTORS.temporary), "Users (S-1-5-32-545)");
  for (const [account, name] of [
    ["WD", "Everyone (S-1-1-0)"],
    ["S-1-1-0", "Everyone (S-1-1-0)"],
    ["BG", "Guests (S-1-5-32-546)"],
    ["AN", "the account AN"],
    ["LS", "the account S-1-5-19"],
    [OTHER, `the account ${OTHER}`],
  ]) {
    for (const rights of ["FA", "FW", "GA", "GW", "0x1301bf", "DC", "LC", "DT", "WD", "WO", "SD", "CR", "RCDC"]) {
      assert.equal(who(`O:${ME}D:(A;OICI;FA;;;${ME})(A;CIOIIO;${rights};;;${account})`), name, `${rights} ${account}`);
    }
    for (const rights of ["FR", "FX", "0x1200a9", "GXGR", "RC", ""])
      assert.equal(who(`O:${ME}D:(A;OICI;${rights};;;${account})`), undefined, `${rights} ${account}`);
  }
  assert.equal(who(`O:${OTHER}D:P(A;;FA;;;${ME})`), `the account ${OTHER}, whose it is,`);
});

test("of what is above counts who may put another directory in the place of the next", () => {
  for (const name of ["root", "temporary", "madeOwn"] as const)
    assert.equal(who(DESCRIPTORS[name], "above"), undefined, name);
  assert.equal(who(DESCRIPTORS.madeOnDrive, "above"), "Authenticated Users (S-1-5-11)", "it can be renamed");
  assert.equal(who(DESCRIPTORS.madeOnDrive.replace(ME, "BA"), "root"), undefined, "a root cannot");
  assert.equal(who("O:BAD:(A;;DT;;;BU)", "root"), "Users (S-1-5-32-545)");
});

test("what is refused takes nothing back: in doubt it may be that account that is permitted", () => {
  assert.equal(who(`O:${ME}D:(D;;FA;;;WD)(A;;FA;;;BU)`), "Users (S-1-5-32-545)");
  assert.equal(who(`O:${ME}D:(D;;FA;;;WD)`), undefined);
});

test("a descriptor that is not understood is none", () => {
  for (const text of [
    "",
    `O:${ME}`,
    `O:${ME}D:NO_ACCESS_CONTROL`, // all may do all
    `O:${ME}D:PNO_ACCESS_CONTROL`,
    `D:(A;;FA;;;${ME})`,
    `O:${ME}D:(A;;FA;;;${ME}`,
    `O:${ME}D:(A;;FA;;;Jeder)`,
    `O:${ME}D:(A;;XX;;;BU)`,
    `O:${ME}D:(ZZ;;FA;;;BU)`,
    `O:${ME}D:(XA;;FX;;;BU;(@User.Project Any_of 1))`,
    `O:${ME}D:(A;;FA;;;${ME}) and more`,
  ])
    assert.equal(parseDescriptor(text), undefined, text);
});
