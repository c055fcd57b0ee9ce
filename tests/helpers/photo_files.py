"""Photos as files of every form, made in memory; and one HEIC, which needs an encoder to make."""

import base64
import io

import numpy as np
from PIL import Image

ORIENTATION, EXIF, FOCAL_35_MM = 0x0112, 0x8769, 0xA405

# 64x48 as stored: red and green above, blue and white below; orientation 6; 26 mm equivalent.
HEIC = base64.b85decode(
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0005VZDn*}000000000XXk=`10000000000aA{+70000000000000"
    "0000000G-+&aV*mgE07O6l0ssL300001>;M4(00000007kh0ssI200O}P0RR9100000LI3~&IB98aW&i*H000620"
    "00$fZf0cy000000RRAKc4ILB0000LX>Mj^0ssI300IC2MR;ju000004sdC7Z2$lO00031009SSaB^?}008D`aAR)"
    "(004Gqc4I>U18@KU0FVFx0000U@BsY%`1k+-4+CHT0RR|40Sp2E{{wIU00RJ!0009300RIXx&lC90096hLID8-Z~"
    "y=U0FVFx0{{R603M(qfd!W8<fgf}2xu@M00096AOHXZ03l)k0RRR>0l{;?i2wiq6Ju{|a&BX6cmM$a4FCp!0000K"
    "X>)L8000000000$0000$0000eV{Bn?0000$000010000m000010000000002|NsB+000020000GaA|mH000000|*"
    "ER00009X>xCL0{{R38EJ5BVE_OC000000RRC8fdT^sgoXeB02*m>Wo7^X0000001jhhb7KGk009620003WZDe6|0"
    "002dC;_ht;3G9H|L)oU{{3$u>?fpj?(fv2|6*gi;5PsIuWfz$JJWymsyq1NZ~A5ls(~dpU;ibnyvW6FJpePJ>#p<"
    "(=rS75)4P97DI2v!o+06+2rP7kkEv-L;Z2Y-hKHAoh#VCS8zyADVXcP5og{5Zod0t_ClsNHv;#0MX7Y}utFnp>Q8"
    "{xoNmesNrbG_Cr_Wk;d*+mC^?ho$#D?pN7RiX?G^-Gdi{N}$6?EAA{-73rKMenNYu3C;b@i`p@xu-UpDRX<Ke%k0"
    "xBvhE21R&jW&i+9O#mtY000O80s#^L0{{R30RRR70EcM+1ONa40RR91CIA2c0004`1pos8000318UO$Q0000"
)


def picture(height: int = 48, width: int = 64) -> np.ndarray:
    """Smooth and different everywhere, so that no turned or mirrored copy is the same."""
    v, u = np.mgrid[:height, :width]
    channels = [u * 255 // width, v * 255 // height, (u + 2 * v) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def with_exif(pixels: np.ndarray, form: str, tags: dict, exif: dict | None = None, **options):
    """A file of these pixels whose EXIF holds these tags."""
    image = Image.fromarray(pixels)
    written = image.getexif()
    written.update(tags)
    written.get_ifd(EXIF).update(exif or {})
    return encoded(image, form, exif=written.tobytes(), **options)
