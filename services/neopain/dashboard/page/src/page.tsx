import { effect } from "@preact/signals";
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/colours.css";
import "./styles/page.css";
import "./styles/ward.css";
import "./styles/bed.css";
import { bedName } from "./fhir/census";
import { watchDevice } from "./state/link";
import { startTicking } from "./state/moment";
import { keepReading } from "./state/reading";
import { openBed, startRouting } from "./state/route";
import { startTheme } from "./state/theme";
import { TEXT } from "./strings";
import { Page } from "./views/page";

const place = document.getElementById("page");
if (place === null) throw new Error("index.html has no element #page");
startTheme();
startRouting();
startTicking();
watchDevice();
effect(() => {
  document.title = openBed.value === null ? `${TEXT.ward} · neopain` : `${bedName(openBed.value)} · neopain`;
});
render(<Page />, place);
void keepReading();
