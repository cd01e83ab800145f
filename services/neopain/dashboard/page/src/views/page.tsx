// The frame of both pages: what is always said, whether the connection stands, who is signed in.

import { down } from "../state/link";
import { openBed } from "../state/route";
import { session, signIn, signOut } from "../state/session";
import { THEMES, theme } from "../state/theme";
import { LINK, SESSION, TEXT, THEME } from "../strings";
import { Announcer } from "./announcer";
import { BedPage } from "./bed";
import { Lost } from "./lost";
import { WardPage } from "./ward";

export function Page() {
  if (signIn.value !== null) return <SignIn address={signIn.value} />;
  return (
    <>
      <a class="skip" href="#main">
        {openBed.value === null ? TEXT.skip : TEXT.skipBed}
      </a>
      <Top />
      <Lost />
      <main id="main" tabIndex={-1}>
        {openBed.value === null ? <WardPage /> : <BedPage bed={openBed.value} />}
      </main>
      <Announcer />
    </>
  );
}

function Top() {
  const now = session.value;
  return (
    <header class="top">
      <p class="brand">neopain</p>
      <p class="investigational">
        <span class="mark" aria-hidden="true" />
        {TEXT.investigationalLong}
      </p>
      <Colours />
      {now !== null && <SignedIn user={now.user} mayReview={now.mayReview} address={now.signOut} />}
    </header>
  );
}

function SignedIn(who: { user: string; mayReview: boolean; address: string }) {
  return (
    <p class="who">
      <span>
        {who.user}
        {!who.mayReview && ` · ${SESSION.readOnly}`}
      </span>
      <button type="button" class="quiet" onClick={() => void signOut(who.address).catch(() => down(LINK.unreachable))}>
        {SESSION.signOut}
      </button>
    </p>
  );
}

function Colours() {
  return (
    <label class="colours">
      <span>{THEME.label}</span>
      <select
        value={theme.value}
        onChange={(event) => {
          theme.value = THEMES.find((one) => one === event.currentTarget.value) ?? "system";
        }}
      >
        {THEMES.map((one) => (
          <option key={one} value={one}>
            {THEME[one]}
          </option>
        ))}
      </select>
    </label>
  );
}

function SignIn({ address }: { address: string }) {
  return (
    <main class="signed-out" id="main">
      <h1>{SESSION.ended}</h1>
      <p role="alert">{SESSION.why}</p>
      <a class="button" href={address}>
        {SESSION.signIn}
      </a>
    </main>
  );
}
