/* Tells the server the time zone of this browser, so that pages show times as the reader's clock does. */
"use strict";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`kommosync_zone=${zone}`)) {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `kommosync_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
