"""A table from anybody reads no other file of ours and asks no host."""

from __future__ import annotations

import gzip

import pytest
from astropy.table import Table

from pellucid.data.catalogue import read_catalogue
from pellucid.errors import InputError

TABLE = """<?xml version="1.0"{encoding}?>
<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="id" datatype="char" arraysize="8"/><DATA><BINARY>
<STREAM {href} encoding="base64">{data}</STREAM></BINARY></DATA></TABLE></RESOURCE></VOTABLE>
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kind", ["href", 'x:href="{}" xmlns:x="http://www.w3.org/1999/xlink"'])
@pytest.mark.parametrize("scheme", ["file://", "http://127.0.0.1:9"])
def test_data_that_lie_elsewhere_are_not_fetched(tmp_path, encoding, kind, scheme):
    secret = tmp_path / "secret"
    secret.write_bytes(b"12345678")
    where = f"{scheme}{secret}"
    href = kind.format(where) if "{}" in kind else f'{kind}="{where}"'
    text = TABLE.format(encoding=f' encoding="{encoding}"', href=href, data="")
    path = tmp_path / "a.vot"
    path.write_bytes(text.encode(encoding))
    packed = tmp_path / "b.vot.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for each in (path, packed):
        with pytest.raises(InputError, match=r"\.vot(\.gz)?: its data lie elsewhere"):
            read_catalogue(each)


@pytest.mark.filterwarnings("ignore")
def test_data_of_its_own_are_read(tmp_path):
    table = Table({"id": ["one", "two"], "ra": [1.0, 2.0]})
    for form in ("tabledata", "binary", "binary2"):
        path = tmp_path / f"{form}.vot"
        table.write(path, format="votable", tabledata_format=form)
        assert list(read_catalogue(path)["id"]) == ["one", "two"]
